-- Says that all pages of a release are fixed.
--
-- KEYS   1: release:{R}
-- ARGV   1: who asks   2...: field, value, ... for release:{R}
-- result 1, also where it was said already; 0 where the release is in the asker's hand no longer

local by, state = unpack(redis.call('HMGET', KEYS[1], 'by', 'state'))
if by ~= ARGV[1] then
  return 0
end
if state == 'new' or state == 'started' or state == 'paused' then
  redis.call('HSET', KEYS[1], 'state', 'planned', unpack(ARGV, 2))
end
return 1
