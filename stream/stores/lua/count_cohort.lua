-- Adds events to a cohort's counts, each once: those at or below the last offset counted are passed over.
--
-- KEYS   1: cohort:{C}
-- ARGV   1: msgpack [[source, offset, kind], ...], offsets rising within a source (a partition)
-- result how many were added

local added = 0
for _, event in ipairs(cmsgpack.unpack(ARGV[1])) do
  local source, offset, kind = unpack(event)
  local field = 'f:' .. source
  if offset > tonumber(redis.call('HGET', KEYS[1], field) or -1) then
    redis.call('HSET', KEYS[1], field, offset)
    redis.call('HINCRBY', KEYS[1], kind, 1)
    added = added + 1
  end
end
local sent, clicked = unpack(redis.call('HMGET', KEYS[1], 'sent', 'clicked'))
if tonumber(sent or 0) > 0 then
  redis.call('HSET', KEYS[1], 'ctr', tonumber(clicked or 0) / tonumber(sent))
end
return added
