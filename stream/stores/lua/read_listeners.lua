-- What Redis holds of some listeners, as far as their next clicks need it.
--
-- KEYS   1: a key of the first; on a cluster all keys that it touches, of all of them: they are in one slot
-- ARGV   1: msgpack [listener, ...]   2: 1: what they did day by day, too
-- result msgpack [[[field, value, ...], [artist, weight, ...], taste or '', activity or ''], ...];
--        [] where there is no such listener, [another] where they are part of another

local result = {}
for i, id in ipairs(cmsgpack.unpack(ARGV[1])) do
  local user = 'user:{' .. id .. '}'
  local fields = redis.call('HGETALL', user)
  if #fields == 0 then
    result[i] = {redis.call('HGET', user .. ':into', 'into') or nil}
  else
    result[i] = {
      fields,
      redis.call('ZRANGE', user .. ':artists', 0, -1, 'WITHSCORES'),
      redis.call('GET', user .. ':taste') or '',
      ARGV[2] == '1' and redis.call('GET', user .. ':activity') or '',
    }
  end
end
return cmsgpack.pack(result)
