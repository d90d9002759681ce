-- Fixes the next page of a release before it is emitted, so that it never differs.
--
-- KEYS   1: release:{R}   2: release:{R}:pages   3: release:{R}:control   4: release:{R}:decisions
-- ARGV   1: who asks   2: the page's number, from 0   3: the page   4: msgpack [listener, cohort, ...] of who is not
--        told, for comparison   5: what was known of who is, packed, or ''   6...: field, value, ... for release:{R}
-- result 1, also where this very page is fixed already; 0 where the release is in the asker's hand no longer, or
--        another page is fixed in its place; 2 where somebody has stopped the release: nothing is fixed

local by, state, stopped = unpack(redis.call('HMGET', KEYS[1], 'by', 'state', 'stopped_at'))
if by ~= ARGV[1] or (state ~= 'new' and state ~= 'started' and state ~= 'paused') then
  return 0
end
local fixed = redis.call('LINDEX', KEYS[2], ARGV[2])
if fixed then
  return fixed == ARGV[3] and 1 or 0
end
if stopped then
  return 2
end
if redis.call('LLEN', KEYS[2]) ~= tonumber(ARGV[2]) then
  return 0
end
redis.call('RPUSH', KEYS[2], ARGV[3])
local control = cmsgpack.unpack(ARGV[4])
for i = 1, #control, 2 do
  redis.call('HSET', KEYS[3], control[i], control[i + 1])
end
if ARGV[5] ~= '' then
  redis.call('HSET', KEYS[4], ARGV[2], ARGV[5])
end
redis.call('HSET', KEYS[1], 'state', 'started', unpack(ARGV, 6))
return 1
