-- What Redis holds of some listeners, as far as their next clicks need it.
--
-- KEYS   1: user:{ID} of the first; on a cluster all of them are in its slot
-- ARGV   1: msgpack [listener, ...]
-- result msgpack [[[field, value, ...], [artist, weight, ...], taste or ''], ...];
--        [] where there is no such listener

local result = {}
for i, id in ipairs(cmsgpack.unpack(ARGV[1])) do
  local user = 'user:{' .. id .. '}'
  local fields = redis.call('HGETALL', user)
  if #fields == 0 then
    result[i] = {}
  else
    result[i] = {
      fields,
      redis.call('ZRANGE', user .. ':artists', 0, -1, 'WITHSCORES'),
      redis.call('GET', user .. ':taste') or '',
    }
  end
end
return cmsgpack.pack(result)
