-- The tastes of many listeners at once; on a Redis that is no cluster, where keys need no slot in common.
--
-- KEYS   none: they are made here of the ids, which go over the wire in a fifth of the time
-- ARGV   1: msgpack [listener, ...]   2: how many bytes are held of each; one of another length is left out
--        3: how many of them are the taste
-- result [the tastes one after the other, msgpack [position from 1, ...]]: of whom each is

local STEP = 1000
local users, length, size = cmsgpack.unpack(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local tastes, positions = {}, {}
for first = 1, #users, STEP do
  local keys = {}
  for at = first, math.min(first + STEP - 1, #users) do
    keys[#keys + 1] = 'user:{' .. users[at] .. '}:taste'
  end
  for at, taste in ipairs(redis.call('MGET', unpack(keys))) do
    if taste and #taste == length then
      tastes[#tastes + 1] = taste:sub(1, size)
      positions[#positions + 1] = first + at - 1
    end
  end
end
return {table.concat(tastes), cmsgpack.pack(positions)}
