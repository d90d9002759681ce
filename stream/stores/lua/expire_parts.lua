-- Erases what there was of an id when it became part of a listener, who is erased by now.
--
-- KEYS   1: user:{ID}   2: user:{ID}:into   3: user:{ID}:parts
--
-- It stays where the merge has not followed to its end, or is being undone: whoever does that is in need of it.

local into = KEYS[1] .. ':into'
if redis.call('HGET', into, 'done') and redis.call('HGET', into, 'undoing') ~= '1' then
  redis.call('DEL', KEYS[1] .. ':parts')
end
