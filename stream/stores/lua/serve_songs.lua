-- Lets a song model serve in place of the one that was read, unless another has come to serve since.
--
-- KEYS   1: song-model:current
-- ARGV   1: the version that was read; "" for none   2: the version that is to serve
-- result 1 where that serves now, else 0

if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2])
return 1
