-- Keeps what was recommended to a listener, unless they have been erased meanwhile.
--
-- KEYS   1: user:{ID}   2: recommended:{ID}
-- ARGV   1: the answer   2: milliseconds

if redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
end
