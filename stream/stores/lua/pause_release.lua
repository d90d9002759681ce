-- Lets a release go until more of it is due: until then it is in nobody's hand, and nobody may take it.
--
-- KEYS   1: release:{R}
-- ARGV   1: who asks   2: when more of it is due, Unix seconds   3...: field, value, ... for release:{R}
-- result 1; 2 where somebody has stopped it meanwhile; 0 where the release is in the asker's hand no longer

local by, state, stopped = unpack(redis.call('HMGET', KEYS[1], 'by', 'state', 'stopped_at'))
if by ~= ARGV[1] then
  return 0
end
-- Of one that was stopped meanwhile nothing is waited for: whoever takes it next ends it.
redis.call('HSET', KEYS[1], 'state', 'paused', 'by', '', 'till', stopped and 0 or ARGV[2], unpack(ARGV, 3))
return stopped and 2 or 1
