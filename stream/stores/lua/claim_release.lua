-- Takes a release in hand, where nobody else has it and it is not done.
--
-- KEYS   1: release:{R}
-- ARGV   1: who asks   2: now, Unix seconds   3: until when it is theirs   4: the event
-- result 'new', 'planned' (its pages are fixed, some may be out), 'done', or 'taken' (another has it in hand)
--
-- A release that was answered with nobody to tell may be asked for again: nobody would hear of it twice.

local state, users, by, till = unpack(redis.call('HMGET', KEYS[1], 'state', 'audience', 'by', 'till'))
if state == 'done' and tonumber(users or 0) > 0 then
  return 'done'
end
if by and by ~= ARGV[1] and tonumber(till) > tonumber(ARGV[2]) then
  return 'taken'
end
redis.call('HSET', KEYS[1], 'by', ARGV[1], 'till', ARGV[3], 'event', ARGV[4])
if state == 'planned' then
  return 'planned'
end
redis.call('HSET', KEYS[1], 'state', 'new')
return 'new'
