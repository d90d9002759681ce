-- Fixes the next page of a release before it is emitted, so that it never differs.
--
-- KEYS   1: release:{R}   2: release:{R}:pages
-- ARGV   1: who asks   2: the page's number, from 0   3: the page   4...: field, value, ... for release:{R}
-- result 1, also where this very page is fixed already; 0 where the release is in the asker's hand no longer, or
--        another page is fixed in its place

local by, state = unpack(redis.call('HMGET', KEYS[1], 'by', 'state'))
if by ~= ARGV[1] or (state ~= 'new' and state ~= 'started') then
  return 0
end
local fixed = redis.call('LINDEX', KEYS[2], ARGV[2])
if fixed then
  return fixed == ARGV[3] and 1 or 0
end
if redis.call('LLEN', KEYS[2]) ~= tonumber(ARGV[2]) then
  return 0
end
redis.call('RPUSH', KEYS[2], ARGV[3])
redis.call('HSET', KEYS[1], 'state', 'started', unpack(ARGV, 4))
return 1
