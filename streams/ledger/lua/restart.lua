-- Begin a new epoch: at the stored position after Redis went back, or past expired offsets.
--
-- KEYS: 1 ledger
-- ARGV: 1 position, 2 epoch: what the caller read; 3 the new epoch; 4 the new position;
--       5 the epochs that have ended
local stored = redis.call('HMGET', KEYS[1], 'position', 'epoch')
if stored[1] ~= ARGV[1] or stored[2] ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'epoch', ARGV[3], 'ended', ARGV[5])
if ARGV[4] ~= ARGV[1] then
  redis.call('HSET', KEYS[1], 'complete_from', 'unknown', 'position', ARGV[4])
end
return 1
