-- Say that a partition is looked after, and answer with its position and epoch.
--
-- KEYS: 1 ledger, 2 health
-- ARGV: 1 position, 2 epoch: the owner's; 3 the log's end, or '' where it is not known now
--
-- A position ahead of the owner's is its own batch under way. A former owner, that knows an older
-- epoch, can't write; one of this epoch may, once or twice, what was true when it last looked.
local stored = redis.call('HMGET', KEYS[1], 'position', 'epoch', 'recorded')
if not stored[1] then return {'', ''} end
if ARGV[3] ~= '' and stored[2] == ARGV[2] and tonumber(stored[1]) >= tonumber(ARGV[1]) then
  local ends = math.max(tonumber(ARGV[3]), tonumber(stored[1]))
  local clock = redis.call('TIME')
  local now = clock[1] .. '.' .. string.format('%06d', clock[2])
  redis.call('HSET', KEYS[2], 'log_end', ends, 'position', stored[1],
    'last_record_time', stored[3] or '', 'time', now)
  -- Without this, the first event after a quiet night would look a night behind until counted.
  if tonumber(stored[1]) >= ends then redis.call('HSET', KEYS[2], 'caught_up_at', now) end
end
return {stored[1], stored[2]}
