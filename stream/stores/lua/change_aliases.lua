-- Lets ids stand for artists, or no longer; says that something has changed.
--
-- KEYS   1: aliases:artists
-- ARGV   1: msgpack [alias, artist, ...]; '' in place of the artist: it stands for none
-- result how many have changed

local changed, pairs = 0, cmsgpack.unpack(ARGV[1])
for at = 1, #pairs, 2 do
  local alias, artist = pairs[at], pairs[at + 1]
  local before = redis.call('HGET', KEYS[1], alias) or ''
  if artist ~= before then
    changed = changed + 1
    if artist == '' then
      redis.call('HDEL', KEYS[1], alias)
    else
      redis.call('HSET', KEYS[1], alias, artist)
    end
  end
end
if changed > 0 then
  redis.call('HINCRBY', KEYS[1], '{changes}', 1)
end
return changed
