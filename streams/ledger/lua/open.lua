-- Read a partition's ledger; create it where there is none, raise its layout to a newer one.
-- `layout_from:<version>` is the offset from which a layout is counted by, `layout_at:<version>`
-- when it was raised. `new` stands until the owner has reported what was lost before, also where
-- no reply was heard.
--
-- KEYS: 1 ledger, 2 values, 3 and on: buckets that the newer layout keeps for longer
-- ARGV: 1 a new epoch, 2 version, 3 layout token (version:hash), 4 layout as JSON,
--       5 the log's first offset; for a new ledger: 6 complete_from, 7 the epochs that it ends;
--       for a newer layout: 8 the position at which it was prepared, or '', 9 when that was,
--       10 and on: the expiry of each bucket
--
-- Raising takes two calls: the first says that it is needed and what to prepare it with. What was
-- prepared holds only as long as nobody has counted since.
local position = redis.call('HGET', KEYS[1], 'position')
if not position then
  redis.call('DEL', KEYS[1], KEYS[2])
  redis.call('HSET', KEYS[1], 'position', ARGV[5], 'epoch', ARGV[1], 'layout', ARGV[3],
    'complete_from', ARGV[6], 'layout:' .. ARGV[2], ARGV[4], 'layout_from:' .. ARGV[2], ARGV[5],
    'layout_at:' .. ARGV[2], 0, 'ended', ARGV[7], 'new', 1)
else
  local stored = redis.call('HGET', KEYS[1], 'layout') or '0:'
  if stored ~= ARGV[3] then
    local version = tonumber(string.match(stored, '^(%d+):'))
    if tonumber(ARGV[2]) <= version then return {'mismatch', stored} end
    if ARGV[8] ~= position then
      return {'prepare', redis.call('HGETALL', KEYS[1]), redis.call('TIME')[1] + 1}
    end
    for i = 3, #KEYS do redis.call('EXPIREAT', KEYS[i], ARGV[7 + i]) end
    redis.call('HSET', KEYS[1], 'layout', ARGV[3], 'layout:' .. ARGV[2], ARGV[4],
      'layout_from:' .. ARGV[2], position, 'layout_at:' .. ARGV[2], ARGV[9])
  end
end
return {'open', redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[2])}
