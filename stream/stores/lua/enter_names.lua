-- Enters forms of names, each with an artist, where nobody has them yet.
--
-- KEYS   1: the hash of names: form -> artist
-- ARGV   1: msgpack [form, artist, ...]
-- result msgpack [artist, ...]: who has each of the forms now

local named, holders = cmsgpack.unpack(ARGV[1]), {}
for at = 1, #named, 2 do
  local form, artist = named[at], named[at + 1]
  if redis.call('HSETNX', KEYS[1], form, artist) == 0 then
    artist = redis.call('HGET', KEYS[1], form)
  end
  holders[#holders + 1] = artist
end
return cmsgpack.pack(holders)
