-- What some listeners did day by day, and when they were seen.
--
-- KEYS   1: a key of the first; on a cluster all keys that it touches, of all of them: they are in one slot
-- ARGV   1: msgpack [listener, ...]
-- result msgpack [[activity or '', first_seen or '', last_seen or '', unrecorded or ''], ...]; empty for a bot

local result = {}
for i, id in ipairs(cmsgpack.unpack(ARGV[1])) do
  local user = 'user:{' .. id .. '}'
  local seen = redis.call('HMGET', user, 'first_seen', 'last_seen', 'bot', 'unrecorded')
  if seen[3] == '1' then
    result[i] = {'', '', '', ''}
  else
    result[i] = {redis.call('GET', user .. ':activity') or '', seen[1] or '', seen[2] or '', seen[4] or ''}
  end
end
return cmsgpack.pack(result)
