-- Keeps a release in hand.
--
-- KEYS   1: release:{R}
-- ARGV   1: who asks   2: until when it is theirs
-- result 1, or 0 where it is in the asker's hand no longer

if redis.call('HGET', KEYS[1], 'by') ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[1], 'till', ARGV[2])
return 1
