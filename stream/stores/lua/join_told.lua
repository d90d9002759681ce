-- Adds what another id of a listener was told lately, once for each merge.
--
-- KEYS   1: told:{NN} of the listener (reserve_told.lua)
-- ARGV   1: the listener   2: the other id's record, packed   3: the merge's token
-- result 1, or 0 where that was done before

local packed = redis.call('HGET', KEYS[1], ARGV[1])
local sent, clicked, told, joined = 0, 0, {}, {}
if packed then
  sent, clicked, told, joined = unpack(cmsgpack.unpack(packed))
  joined = joined or {}
end
for _, token in ipairs(joined) do
  if token == ARGV[3] then
    return 0
  end
end
local other_sent, other_clicked, other_told = unpack(cmsgpack.unpack(ARGV[2]))
local there = {}
for _, each in ipairs(told) do
  there[each[1]] = each[2] > 0  -- not a late click alone
end
for _, each in ipairs(other_told) do
  if not there[each[1]] then
    told[#told + 1] = each
  end
end
table.sort(told, function(one, other)
  return one[2] < other[2]
end)
joined[#joined + 1] = ARGV[3]
redis.call('HSET', KEYS[1], ARGV[1], cmsgpack.pack({sent + other_sent, clicked + other_clicked, told, joined}))
return 1
