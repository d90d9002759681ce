-- Erases what is only of some listeners, each wholly or not at all.
--
-- KEYS   1: a key of the first; on a cluster all keys that it touches, of all of them: they are in one slot
-- ARGV   1: msgpack [listener, the field `state` as it was read, listener, ...]
--
-- Who was written since, or has a click that waits for its song, stays. Whose part which id is, and that they
-- have opted out, stays of all.

local given = cmsgpack.unpack(ARGV[1])
for at = 1, #given, 2 do
  local user = 'user:{' .. given[at] .. '}'
  if redis.call('HGET', user, 'state') == given[at + 1] and redis.call('EXISTS', user .. ':waiting') == 0 then
    redis.call(
      'DEL', user, user .. ':artists', user .. ':taste', user .. ':activity', user .. ':heard',
      user .. ':event-ids', user .. ':traits', user .. ':redriven', 'recommended:{' .. given[at] .. '}'
    )
  end
end
