-- Says that all of a release is out: it is done, in nobody's hand, and fades after its days.
--
-- KEYS   1: release:{R}   2: release:{R}:pages   3: release:{R}:held   4...: what else fades
-- ARGV   1: who asks   2: its days, in seconds   3...: field, value, ... for release:{R}
-- result 1, also where it was said already; 0 where the release is in the asker's hand no longer, or not all
--        of its pages are fixed
--
-- Who stood still before this may find a later answer to the release in place of their own.
--
-- DEL comes first: a Redis that is full takes HSET only from a script that has written before.

local by, state = unpack(redis.call('HMGET', KEYS[1], 'by', 'state'))
if by ~= ARGV[1] or (state ~= 'planned' and state ~= 'done') then
  return 0
end
redis.call('DEL', KEYS[2], KEYS[3])
-- From now on others may ask for it again.
redis.call('HSET', KEYS[1], 'state', 'done', 'till', 0, unpack(ARGV, 3))
redis.call('EXPIRE', KEYS[1], ARGV[2])
for n = 4, #KEYS do
  redis.call('EXPIRE', KEYS[n], ARGV[2])
end
return 1
