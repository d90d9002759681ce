-- Notes listeners of a release who are told when their quiet hours end; strikes out others.
--
-- KEYS   1: release:{R}   2: release:{R}:held   3: release:{R}:control
-- ARGV   1: who asks   2: msgpack [listener, when and how likely, ...]   3: msgpack [listener, ...] to strike out
--        4: msgpack [listener, cohort, ...] of the control group
-- result 1; 0 where the release is in the asker's hand no longer

if redis.call('HGET', KEYS[1], 'by') ~= ARGV[1] then
  return 0
end
local held = cmsgpack.unpack(ARGV[2])
for i = 1, #held, 2 do
  redis.call('HSET', KEYS[2], held[i], held[i + 1])
end
for _, listener in ipairs(cmsgpack.unpack(ARGV[3])) do
  redis.call('HDEL', KEYS[2], listener)
end
local control = cmsgpack.unpack(ARGV[4])
for i = 1, #control, 2 do
  redis.call('HSET', KEYS[3], control[i], control[i + 1])
end
return 1
