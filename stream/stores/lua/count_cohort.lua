-- Adds events to a cohort's counts, each once: those at or below the last offset counted are passed over.
--
-- KEYS   1: cohort:{C}
-- ARGV   1: msgpack [[source, offset, weight, kind, ...], ...], offsets rising within a source (a partition);
--        weight: what a sent or a click adds to the counts that fade
--        2: sent, from which on a CTR is shown
-- result how many were added

local FADING = {sent = 'sent_fading', clicked = 'clicked_fading'}

local added = 0
for _, event in ipairs(cmsgpack.unpack(ARGV[1])) do
  local source, offset, weight = unpack(event)
  local field = 'f:' .. source
  if offset > tonumber(redis.call('HGET', KEYS[1], field) or -1) then
    redis.call('HSET', KEYS[1], field, offset)
    for at = 4, #event do
      redis.call('HINCRBY', KEYS[1], event[at], 1)
      if FADING[event[at]] then
        redis.call('HINCRBYFLOAT', KEYS[1], FADING[event[at]], weight)
      end
    end
    added = added + 1
  end
end
local sent, clicked = unpack(redis.call('HMGET', KEYS[1], 'sent', 'clicked'))
if tonumber(sent or 0) >= tonumber(ARGV[2]) then
  redis.call('HSET', KEYS[1], 'ctr', tonumber(clicked or 0) / tonumber(sent))
end
return added
