-- Apply one folded batch to a partition's counts, or change nothing.
--
-- KEYS: 1 ledger, 2 touched, 3 values, 4 to 19 event shards, 20 and on: the buckets changed
-- ARGV: 1 position, 2 epoch, 3 layout: what the fold was computed from
--       4 the next position
--       5 '1' where the ids' entries were already read at this position, else '0'
--       6 time of the batch's last record, or ''
--       7 msgpack: {entries, cells, values, outcomes, swept}
--       8 this call's own token: sent again after a lost reply, it is known by it
--
-- A script does not roll back, so every check stands before the first write, and the position
-- moves last. Never more than 4,000 values are unpacked: Lua's stack ends at about 8,000.
local CHUNK = 4000

-- 1. Compare. Another owner, a restored Redis or a newer KPI file: say what is stored.
local stored = redis.call('HMGET', KEYS[1], 'position', 'epoch', 'layout', 'complete_from', 'call')
if stored[5] == ARGV[8] and stored[1] == ARGV[4] and stored[2] == ARGV[2] then return {'applied'} end
if stored[1] ~= ARGV[1] or stored[2] ~= ARGV[2] or stored[3] ~= ARGV[3] then
  return {'moved', stored[1] or '', stored[2] or '', stored[3] or ''}
end
local batch = cmsgpack.unpack(ARGV[7])
local entries, cells, values, outcomes, swept = unpack(batch)

-- 2. The fold took every id for new: if some are not, answer with their entries.
if ARGV[5] == '0' then
  local known = {}
  for _, shard in ipairs(entries) do
    local flat = shard[2]
    for from = 1, #flat, CHUNK do
      local ids = {}
      for i = from, math.min(from + CHUNK - 1, #flat), 2 do ids[#ids + 1] = flat[i] end
      local found = redis.call('HMGET', KEYS[shard[1]], unpack(ids))
      for i = 1, #ids do
        if found[i] then
          known[#known + 1] = ids[i]
          known[#known + 1] = found[i]
        end
      end
    end
  end
  if #known > 0 then return {'known', known} end
end

-- 3. Set. Counts, entries, admitted values, totals.
for _, bucket in ipairs(cells) do
  local key, flat = KEYS[bucket[1]], bucket[4]
  for i = 1, #flat, 2 do redis.call('HINCRBY', key, flat[i], flat[i + 1]) end
  redis.call('EXPIREAT', key, bucket[3])
  redis.call('ZADD', KEYS[2], ARGV[4], bucket[2])
end
for _, shard in ipairs(entries) do
  local flat = shard[2]
  for from = 1, #flat, CHUNK do
    redis.call('HSET', KEYS[shard[1]], unpack(flat, from, math.min(from + CHUNK - 1, #flat)))
  end
end
for _, shard in ipairs(swept) do
  local ids = shard[2]
  for from = 1, #ids, CHUNK do
    redis.call('HDEL', KEYS[shard[1]], unpack(ids, from, math.min(from + CHUNK - 1, #ids)))
  end
end
for i = 1, #values, 2 do redis.call('HSET', KEYS[3], values[i], values[i + 1]) end
for i = 1, #outcomes, 2 do redis.call('HINCRBY', KEYS[1], outcomes[i], outcomes[i + 1]) end

-- 4. The first record after a loss of history says from when on the counts are complete.
if ARGV[6] ~= '' then
  if stored[4] == 'unknown' then redis.call('HSET', KEYS[1], 'complete_from', ARGV[6]) end
  redis.call('HSET', KEYS[1], 'recorded', ARGV[6])
end

-- 5. Move the position.
redis.call('HSET', KEYS[1], 'position', ARGV[4], 'call', ARGV[8])
return {'applied'}
