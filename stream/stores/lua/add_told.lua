-- Notes some listeners of a page that is fixed: their feedback counts for the cohort beside them.
--
-- KEYS   1: release:{R}   2: release:{R}:told   3: release:{R}:parts   4: release:{R}:pages
-- ARGV   1: who asks   2: the page's number, from 0   3: msgpack [listener, cohort, listener, cohort, ...]
--        4: msgpack [listener, part, ...] of those who are in another part than the first: a later wave, or told
--        by the other policy
-- result 1, or 0 where the release is in the asker's hand no longer
--
-- Where the page is not fixed, as somebody has stopped the release, nothing is noted.
--
-- A small hash is a list, in which Redis looks every field up from the front: a thousand take it three times as
-- long. A long value makes a table of it at once, and for good; "}" is no listener.

local PADDING = '}'

if redis.call('HGET', KEYS[1], 'by') ~= ARGV[1] then
  return 0
end
if redis.call('LLEN', KEYS[4]) <= tonumber(ARGV[2]) then
  return 1
end
local first = redis.call('EXISTS', KEYS[2]) == 0
if first then
  redis.call('HSET', KEYS[2], PADDING, string.rep(' ', 128))
end
local told = cmsgpack.unpack(ARGV[3])
redis.call('HSET', KEYS[2], unpack(told))
local parts = cmsgpack.unpack(ARGV[4])
if #parts > 0 then
  redis.call('HSET', KEYS[3], unpack(parts))
end
if first then
  redis.call('HDEL', KEYS[2], PADDING)
end
return 1
