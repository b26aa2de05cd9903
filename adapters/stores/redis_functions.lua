#!lua name=remint_2
-- What Remint does in Redis in one atomic step. An administrator loads this library; the broker
-- only calls it. Redis 7.0 or newer.
--
-- Each function works in one slot. Times are seconds since the epoch; `now` is the broker's, by
-- which leases and ends are judged. Redis's own clock sets the times to live, which are nothing
-- but a safety net a day after the end. What is deleted or read may be so even when memory is full.

local PREFIX = 'remint_2_'
local REVISION = 4
local SAFETY_SECONDS = 86400
local OUTBOX_SECONDS = 604800 -- how long an announcement is kept that nobody gets out
local TALLY_SECONDS = 3600 -- clocks of brokers may differ by less than this
local REVISIT_SECONDS = 900 -- how often a reaper looks at a request without an answer

local function clock()
  return tonumber(redis.call('TIME')[1])
end

local function written(number)
  return string.format('%.17g', number)
end

local function deadline(seconds)
  return math.max(math.ceil(tonumber(seconds)), clock()) + SAFETY_SECONDS
end

local function keep(key, seconds)
  redis.call('EXPIREAT', key, string.format('%d', deadline(seconds)))
end

-- A collection lives as long as its last member.
local function keep_at_least(key, seconds)
  local wanted = deadline(seconds)
  if redis.call('EXPIRETIME', key) < wanted then
    redis.call('EXPIREAT', key, string.format('%d', wanted))
  end
end

-- -- what is due when ---------------------------------------------------------------------------
-- A sorted set says when a reaper must look at something at the latest. The thing itself knows
-- better, and the reaper then writes down what it said.

local function schedule(keys, args)
  redis.call('ZADD', keys[1], 'LT', args[1], args[2])
  keep_at_least(keys[1], args[1])
end

-- Triples of member, score as it was seen, and next score, or '' where there is none.
local function reschedule(keys, args)
  for at = 1, #args, 3 do
    local score = redis.call('ZSCORE', keys[1], args[at])
    if score and tonumber(score) == tonumber(args[at + 1]) then
      if args[at + 2] == '' then
        redis.call('ZREM', keys[1], args[at])
      else
        redis.call('ZADD', keys[1], args[at + 2], args[at])
        keep_at_least(keys[1], args[at + 2])
      end
    end
  end
end

-- -- what is to be announced --------------------------------------------------------------------
-- An announcement is a string, sealed, in the slot of the fact, and is written with it. A sorted set
-- on another server leads to it: its members are the slot and the digest of the announcement's id,
-- and are written before, with the time from which anybody may take them up. Until the string is
-- there a member counts for nothing.

-- The same one again changes nothing; none is none.
local function announce(key, announcement)
  if announcement and redis.call('SET', key, announcement, 'NX') then
    redis.call('EXPIREAT', key, string.format('%d', clock() + OUTBOX_SECONDS))
  end
end

-- One that comes with nothing else.
local function put_announcement(keys, args)
  announce(keys[1], args[1])
end

-- Time and member.
local function expect(keys, args)
  redis.call('ZADD', keys[1], 'NX', args[1], args[2])
  keep_at_least(keys[1], clock() + OUTBOX_SECONDS)
end

-- Both at once, where one server has both: the announcement, and its member in the set that leads to
-- it. None, if there are no keys.
local function post(key, set, announcement, due_at, member)
  if key then
    announce(key, announcement)
    expect({set}, {due_at, member})
  end
end

-- Until when, then pairs of member and score as it was seen: the members that are now the caller's.
local function lease(keys, args)
  local leased = {}
  for at = 2, #args, 2 do
    local score = redis.call('ZSCORE', keys[1], args[at])
    if score and tonumber(score) == tonumber(args[at + 1]) then
      redis.call('ZADD', keys[1], args[1], args[at])
      leased[#leased + 1] = args[at]
    end
  end
  return leased
end

-- Members that were found to lead to nothing. The fact may be on its way, so they are looked at once
-- more at the time given, and go if they are found so again.
local function doubt(keys, args)
  for at = 2, #args do
    local known = redis.call('ZREM', keys[1], args[at])
    if known == 1 and string.sub(args[at], -1) ~= '?' then
      redis.call('ZADD', keys[1], args[1], args[at] .. '?')
    end
  end
end

-- How many to keep, then sealed bodies. keys[1] is a sorted set without scores: a position of 16
-- digits, which is the time in microseconds or the one after the last, and the body.
local function append_journal(keys, args)
  local last = redis.call('ZRANGE', keys[1], -1, -1)[1]
  local at = last and tonumber(string.sub(last, 1, 16)) or 0
  local time = redis.call('TIME')
  local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
  for body = 2, #args do
    at = math.max(at + 1, now)
    redis.call('ZADD', keys[1], 0, string.format('%016d', at) .. args[body])
  end
  local kept = tonumber(args[1])
  for _, old in ipairs(redis.call('ZRANGE', keys[1], 0, -(kept + 1))) do
    redis.call('ZREM', keys[1], old)
  end
  keep_at_least(keys[1], clock() + OUTBOX_SECONDS)
end

-- -- the ledger of requests ---------------------------------------------------------------------
-- A hash: f fingerprint, e epoch, o that epoch and its owner, l lease until, c sealed claim,
-- a sealed answer, u answer until, g forget at. Open while there is no u; after that gone once there
-- is no a. Brokers of the version before write no o and raise e alone.

-- Whether `owner` holds the claim of that epoch; true as well where the owner is not known.
local function owned(known, epoch, owner)
  local since, first = string.match(known or '', '^(%d+) (.*)$')
  return tonumber(since) ~= tonumber(epoch) or first == owner
end

-- One more in a window that ends at `ends_at`; false if `quota` are counted.
local function counted(key, quota, ends_at)
  local used = tonumber(redis.call('GET', key) or 0)
  if used >= tonumber(quota) then
    return false
  end
  redis.call('INCR', key)
  if used == 0 then
    keep(key, ends_at)
  end
  return true
end

-- keys[2], if there is one, counts new requests: `quota` at most, in a window that ends at
-- `ends_at`. In a cluster the counter is on another server, and `count` is called beside this.
local function claim(keys, args)
  local fingerprint, now, lease_until, forget_at, sealed, owner, quota, ends_at = unpack(args)
  local known = redis.call('HMGET', keys[1], 'f', 'e', 'l', 'c', 'a', 'u', 'o')
  if not known[1] then
    if keys[2] and not counted(keys[2], quota, ends_at) then
      return {'over'}
    end
    redis.call('HSET', keys[1], 'f', fingerprint, 'e', 1, 'o', '1 ' .. owner, 'l', lease_until,
      'c', sealed, 'g', forget_at)
    keep(keys[1], forget_at)
    return {'new'}
  end
  if known[1] ~= fingerprint then
    return {'conflict'}
  end
  if known[6] then
    if not known[5] or tonumber(known[6]) <= tonumber(now) then
      return {'gone'}
    end
    return {'answer', known[5]}
  end
  -- A lease from beyond one lease's length means that the clock went back: it proves nothing. For
  -- its own owner it means as well that this call was overtaken by its repetition: the epoch stays.
  local epoch, leased_until = tonumber(known[2]), tonumber(known[3])
  local own = known[7] == epoch .. ' ' .. owner
  if leased_until > tonumber(now) and (own or leased_until <= tonumber(lease_until)) then
    if not own then
      return {'busy'}
    end
  else
    epoch = epoch + 1
  end
  redis.call('HSET', keys[1], 'e', epoch, 'o', epoch .. ' ' .. owner, 'l', lease_until,
    'g', forget_at)
  keep(keys[1], forget_at)
  return {'taken', epoch, known[4]}
end

-- A slot and the words of a claim. The same, and when a reaper is to look at it, where one server
-- has all the slots: keys[2] is the set of what is due, keys[3] the counter, if there is one.
local function claim_whole(keys, args)
  local said = claim({keys[1], keys[3]}, {unpack(args, 2)})
  if said[1] == 'new' or said[1] == 'taken' then
    schedule({keys[2]}, {args[4], args[1]})
  end
  return said
end

local function count(keys, args)
  return counted(keys[1], args[1], args[2]) and 1 or 0
end

-- One less: what was counted was not a new request.
local function uncount(keys, args)
  local used = tonumber(redis.call('GET', keys[1]) or 0)
  if used > 0 then
    redis.call('SET', keys[1], used - 1, 'KEEPTTL')
  end
end

local function held(key, epoch, owner)
  local known = redis.call('HMGET', key, 'e', 'u', 'o')
  return known[1] and not known[2] and tonumber(known[1]) == tonumber(epoch)
    and owned(known[3], epoch, owner)
end

-- Undo a first claim, as if it had not been made.
local function unclaim(keys, args)
  if held(keys[1], 1, args[1]) then
    redis.call('DEL', keys[1])
  end
end

local function settle(key, answer, answer_until, forget_at)
  redis.call('HSET', key, 'a', answer, 'u', answer_until, 'g', forget_at)
  redis.call('HDEL', key, 'c')
  keep(key, forget_at)
end

-- Claim's epoch and owner, sealed answer, its end, when to forget it; then the record and its end,
-- if any; then the pointer to it and the announcement, if any; '' stands for none where more follows.
-- 0 if the claim is lost. Outside a cluster, keys[3] is the pointer that was written just before,
-- and -1 says that it is another token's. The last key is that of the announcement.
local function commit(keys, args)
  local epoch, owner, answer, answer_until, forget_at, record, record_until, pointer,
    announcement = unpack(args)
  if not held(keys[1], epoch, owner) then
    return 0
  end
  if pointer and pointer ~= '' and redis.call('GET', keys[3]) ~= pointer then
    return -1
  end
  settle(keys[1], answer, answer_until, forget_at)
  if record and record ~= '' then
    redis.call('SET', keys[2], record)
    keep(keys[2], record_until)
  end
  announce(keys[#keys], announcement)
  return 1
end

local function release(keys, args)
  if held(keys[1], args[1], args[2]) then
    redis.call('HSET', keys[1], 'l', 0)
  end
end

-- A function, though it only reads: where replicas are waited for, they are after each function, and
-- an answer must not be given out before they have it.
local function fetch(keys)
  return redis.call('HMGET', keys[1], 'f', 'a', 'u')
end

-- Whether something changed, and when to look again.
local function reap_request(keys, args)
  local now = tonumber(args[1])
  local known = redis.call('HMGET', keys[1], 'a', 'u', 'g')
  if not known[3] then
    return {0, ''}
  end
  if tonumber(known[3]) <= now then
    redis.call('DEL', keys[1])
    return {1, ''}
  end
  if not known[2] then
    return {0, written(math.min(tonumber(known[3]), now + REVISIT_SECONDS))}
  end
  if not known[1] then
    return {0, known[3]}
  end
  if tonumber(known[2]) <= now then
    redis.call('HDEL', keys[1], 'a')
    return {1, known[3]}
  end
  return {0, known[2]}
end

-- -- records of tokens --------------------------------------------------------------------------
-- A string: when it expires, its identity, and the sealed record, with blanks between.

local function identity_of(record)
  return string.match(record, '^%S+ (%S+) ')
end

-- Say where the record of an alias will be; 0 if the alias belongs to another token.
local function point(keys, args)
  local wanted = args[1] .. ' ' .. args[2]
  local known = redis.call('GET', keys[2])
  if redis.call('EXISTS', keys[1]) == 1 or (known and known ~= wanted) then
    return 0
  end
  redis.call('SET', keys[2], wanted)
  keep(keys[2], args[3])
  return 1
end

-- Write a record beside its alias, and its announcement; 0 if the alias belongs to another token.
local function add(keys, args)
  local known = redis.call('GET', keys[1])
  if known then
    if identity_of(known) ~= args[1] then
      return 0
    end
  elseif redis.call('EXISTS', keys[2]) == 1 then
    return 0
  else
    redis.call('SET', keys[1], args[2])
    keep(keys[1], args[3])
  end
  announce(keys[3], args[4])
  return 1
end

-- Remove a record of that identity, if it expired by `now` (whenever, if that is ''): {} if there
-- is none, {when} if it is too early, {when, record} once it is removed, and that is announced.
local function take(keys, args)
  local record = redis.call('GET', keys[1])
  if not record or identity_of(record) ~= args[1] then
    return {}
  end
  local expires_at = string.match(record, '^(%S+) ')
  if args[2] ~= '' and tonumber(expires_at) > tonumber(args[2]) then
    return {expires_at}
  end
  redis.call('DEL', keys[1])
  announce(keys[2], args[3])
  return {expires_at, record}
end

-- Remove a pointer, unless it points elsewhere by now.
local function unpoint(keys, args)
  if redis.call('GET', keys[1]) == args[1] then
    redis.call('DEL', keys[1])
  end
end

-- -- indexes of tokens --------------------------------------------------------------------------
-- keys[1] is a sorted set of names without scores: a letter, 16 bytes of digest (none after "a"),
-- the alias, a zero byte, the second in which the entry was made. keys[2] says when tokens expire;
-- its members are the three digests of 16 bytes and the alias.
--
-- The letters: "a" all, "i" by instance, "p" by principal, "r" by realm; since schema 2 also "k" by
-- key and "c" by parent, for those that have one. Brokers of schema 1 read the members of keys[2],
-- so they stay as they are, and "k" and "c" come as stems (letter and digest) beside the member.

-- The names of a member and of the stems that follow it in args.
local function prefixes(args, at)
  local member = args[at]
  local alias = string.sub(member, 49)
  local names = {
    'a' .. alias .. '\0',
    'i' .. string.sub(member, 1, 16) .. alias .. '\0',
    'p' .. string.sub(member, 17, 32) .. alias .. '\0',
    'r' .. string.sub(member, 33, 48) .. alias .. '\0',
  }
  for stem = at + 1, #args do
    names[#names + 1] = args[stem] .. alias .. '\0'
  end
  return names
end

local function named(key, prefix)
  return redis.call('ZRANGEBYLEX', key, '[' .. prefix, '(' .. prefix .. '\255', 'LIMIT', 0, 1)[1]
end

local function unname(key, names)
  for _, prefix in ipairs(names) do
    redis.call('ZREMRANGEBYLEX', key, '[' .. prefix, '(' .. prefix .. '\255')
  end
end

-- A member, then stems.
local function unindex(keys, args)
  unname(keys[1], prefixes(args, 1))
  redis.call('ZREM', keys[2], args[1])
end

-- When the token expires; its member, then stems, from `at` in args.
local function enter(keys, expires_at, args, at)
  local member = args[at]
  local names = prefixes(args, at)
  if named(keys[1], names[1]) then -- written before: its age starts anew
    unname(keys[1], names)
  end
  local made = string.format('%d', clock())
  local entries = {}
  for _, prefix in ipairs(names) do
    entries[#entries + 1] = 0
    entries[#entries + 1] = prefix .. made
  end
  redis.call('ZADD', keys[1], unpack(entries))
  redis.call('ZADD', keys[2], 'LT', expires_at, member)
  keep_at_least(keys[1], expires_at)
  keep_at_least(keys[2], expires_at)
end

-- When the token expires, its member, then stems.
local function index(keys, args)
  enter(keys, args[1], args, 2)
end

-- -- a token with all that leads to it ----------------------------------------------------------
-- Where one server has all the slots. The keys: where the record may stand and where the pointer to
-- it may, names and expiry of the index, then those of `post`, if it is announced. The last words
-- are the token's member and stems.

-- Identity, record, its end; announcement, time and member of it, or '' for each.
local function issue_whole(keys, args)
  local identity, record, expires_at, announcement, due_at, entry = unpack(args, 1, 6)
  if add({keys[1], keys[2]}, {identity, record, expires_at}) == 0 then
    return 0
  end
  enter({keys[3], keys[4]}, expires_at, args, 7)
  post(keys[5], keys[6], announcement, due_at, entry)
  return 1
end

-- The request and its record's key come before the keys above, and before the words: epoch and owner
-- of the claim, sealed answer, its end, when to forget it, and the slot. 0 if the claim is lost, -1
-- if the alias is another token's; nothing is written then.
local function commit_whole(keys, args)
  local epoch, owner, answer, answer_until, forget_at, slot = unpack(args, 1, 6)
  local identity, record, expires_at, announcement, due_at, entry = unpack(args, 7, 12)
  if not held(keys[1], epoch, owner) then
    return 0
  end
  if point({keys[3], keys[4]}, {identity, slot, expires_at}) == 0 then
    return -1
  end
  enter({keys[5], keys[6]}, expires_at, args, 13)
  settle(keys[1], answer, answer_until, forget_at)
  redis.call('SET', keys[2], record)
  keep(keys[2], expires_at)
  post(keys[7], keys[8], announcement, due_at, entry)
  return 1
end

-- An alias, then stems, of which those it lacks are added. They get the age of its other entries,
-- and none is written once those are gone: the token ended meanwhile.
local function index_more(keys, args)
  local known = named(keys[1], 'a' .. args[1] .. '\0')
  if not known then
    return 0
  end
  local made = string.match(known, '%z(%d+)$')
  local added = 0
  for at = 2, #args do
    local prefix = args[at] .. args[1] .. '\0'
    if not named(keys[1], prefix) then
      redis.call('ZADD', keys[1], 0, prefix .. made)
      added = added + 1
    end
  end
  return added
end

-- Drop entries that were found without a record, unless their record may still be on its way.
local function drop(keys, args)
  local oldest = clock() - tonumber(args[1])
  for at = 2, #args do
    local made = string.match(args[at], '%z(%d+)$')
    if made and tonumber(made) < oldest then
      redis.call('ZREM', keys[1], args[at])
    end
  end
end

-- -- one-time tokens ----------------------------------------------------------------------------
-- A string: until when it counts, and the digest of its owner.

local function spend(keys, args)
  local owner, ends_at = args[1], tonumber(args[2])
  local known = redis.call('GET', keys[1])
  if known then
    local known_until, first = string.match(known, '^(%S+) (%S+)$')
    if first ~= owner then
      return 0
    end
    ends_at = math.max(ends_at, tonumber(known_until))
  end
  redis.call('SET', keys[1], written(ends_at) .. ' ' .. owner)
  keep(keys[1], ends_at)
  return 1
end

local function reap_spent(keys, args)
  local known = redis.call('GET', keys[1])
  if not known then
    return {0, ''}
  end
  local ends_at = string.match(known, '^(%S+) ')
  if tonumber(ends_at) > tonumber(args[1]) then
    return {0, ends_at}
  end
  redis.call('DEL', keys[1])
  return {1, ''}
end

-- -- failed logins ------------------------------------------------------------------------------
-- A string: failures that had not leaked away at the time that follows, that time, the last success
-- (0 for none), and until when that success is remembered. There may be very many, made by whoever
-- guesses, so they stay no day longer than they count.

local function tally(key)
  local text = redis.call('GET', key)
  if not text then
    return '', 0, 0, 0, 0
  end
  local failures, counted_at, succeeded_at, until_ =
    string.match(text, '^(%S+) (%S+) (%S+) (%S+)$')
  return text, tonumber(failures), tonumber(counted_at), tonumber(succeeded_at), tonumber(until_)
end

local function keep_tally(key, seconds)
  local wanted = math.max(math.ceil(seconds), clock()) + TALLY_SECONDS
  redis.call('EXPIREAT', key, string.format('%d', wanted))
end

-- When it failed, seconds in which one failure leaks away, how many are counted at most. What was
-- known before.
local function count_failure(keys, args)
  local at, leak, most = tonumber(args[1]), tonumber(args[2]), tonumber(args[3])
  local before, failures, counted_at, succeeded_at, until_ = tally(keys[1])
  failures = math.max(0, failures - math.max(0, at - counted_at) / leak)
  failures = math.min(most, failures + 1)
  counted_at = math.max(counted_at, at)
  local words = {written(failures), written(counted_at), written(succeeded_at), written(until_)}
  redis.call('SET', keys[1], table.concat(words, ' '))
  keep_tally(keys[1], math.max(until_, counted_at + failures * leak))
  return before
end

-- When it succeeded, and until when that is remembered.
local function note_success(keys, args)
  redis.call('SET', keys[1], table.concat({'0', args[1], args[1], args[2]}, ' '))
  keep_tally(keys[1], tonumber(args[2]))
end

-- -- sessions -----------------------------------------------------------------------------------
-- A string: last access, longest idle time, end of life, and the sealed session.

local function session(text)
  local last, idle, life, sealed = string.match(text, '^(%S+) (%S+) (%S+) (.*)$')
  return tonumber(last), tonumber(idle), tonumber(life), sealed
end

local function put_session(keys, args)
  redis.call('SET', keys[1], table.concat(args, ' '))
  keep(keys[1], math.min(tonumber(args[1]) + tonumber(args[2]), tonumber(args[3])))
end

local function touch_session(keys, args)
  local now, pause = tonumber(args[1]), tonumber(args[2])
  local text = redis.call('GET', keys[1])
  if not text then
    return
  end
  local last, idle, life, sealed = session(text)
  if last <= now - pause and now < math.min(last + idle, life) then
    put_session(keys, {written(now), written(idle), written(life), sealed})
  end
end

local function reap_session(keys, args)
  local text = redis.call('GET', keys[1])
  if not text then
    return {0, ''}
  end
  local last, idle, life = session(text)
  local ends_at = math.min(last + idle, life)
  if ends_at > tonumber(args[1]) then
    return {0, written(ends_at)}
  end
  redis.call('DEL', keys[1])
  return {1, ''}
end

-- -- published instances ------------------------------------------------------------------------
-- A hash of strings: digest of the id, digest of the revision, sealed document. The generation
-- moves with every change, and whoever listens is told to read it. keys[3] is for the announcement.

local function changed(keys, channel, announcement)
  announce(keys[3], announcement)
  local generation = redis.call('INCR', keys[2])
  redis.call('PUBLISH', channel, 'changed')
  return {'done', generation}
end

-- 'unknown' or 'changed' if the document must be left alone.
local function refused(key, field, id, revision)
  local known = redis.call('HGET', key, field)
  local known_id, known_revision = string.match(known or '', '^(%S+) (%S+) ')
  if known_id ~= id then
    return 'unknown'
  end
  if revision ~= '' and known_revision ~= revision then
    return 'changed'
  end
end

local function create_instance(keys, args)
  if redis.call('HSETNX', keys[1], args[2], args[3]) == 0 then
    return {'taken', 0}
  end
  return changed(keys, args[1], args[4])
end

local function replace_instance(keys, args)
  local refusal = refused(keys[1], args[2], args[4], args[5])
  if refusal then
    return {refusal, 0}
  end
  redis.call('HSET', keys[1], args[2], args[3])
  return changed(keys, args[1], args[6])
end

local function delete_instance(keys, args)
  local refusal = refused(keys[1], args[2], args[3], args[4])
  if refusal then
    return {refusal, 0}
  end
  redis.call('HDEL', keys[1], args[2])
  return changed(keys, args[1], args[5])
end

-- -- configuration that brokers share --------------------------------------------------------------
-- A hash of strings: digest of the document (none where it is not there), sealed document.

local function swap_configuration(keys, args)
  local channel, field, expected, value, announcement = unpack(args)
  local known = redis.call('HGET', keys[1], field)
  local digest = known and string.match(known, '^(%S+) ') or ''
  if digest ~= expected then
    return {'differs', 0}
  end
  if value == '' then
    redis.call('HDEL', keys[1], field)
  else
    redis.call('HSET', keys[1], field, value)
  end
  return changed(keys, channel, announcement)
end

-- Replace a field of the store's marker, if it is as expected ('' where it is not there).
local function swap_meta(keys, args)
  local field, expected, value = unpack(args)
  if (redis.call('HGET', keys[1], field) or '') ~= expected then
    return 0
  end
  redis.call('HSET', keys[1], field, value)
  return 1
end

-- -- their names --------------------------------------------------------------------------------

local function revision()
  return REVISION
end

local function offer(name, callback, flags)
  redis.register_function{
    function_name = PREFIX .. name, callback = callback, flags = flags or {},
  }
end

local FREES = {'allow-oom'}

offer('revision', revision, {'no-writes'})
offer('schedule', schedule)
offer('reschedule', reschedule, FREES)
offer('put_announcement', put_announcement)
offer('expect', expect)
offer('expect_end', expect, FREES) -- of what frees memory, and must be possible without any
offer('lease', lease, FREES)
offer('doubt', doubt, FREES)
offer('append_journal', append_journal)
offer('claim', claim)
offer('claim_whole', claim_whole)
offer('unclaim', unclaim, FREES)
offer('count', count)
offer('uncount', uncount, FREES)
offer('commit', commit)
offer('commit_whole', commit_whole)
offer('release', release, FREES)
offer('fetch', fetch, {'no-writes', 'allow-oom'})
offer('reap_request', reap_request, FREES)
offer('point', point)
offer('add', add)
offer('issue_whole', issue_whole)
offer('take', take, FREES)
offer('unpoint', unpoint, FREES)
offer('index', index)
offer('index_more', index_more)
offer('unindex', unindex, FREES)
offer('drop', drop, FREES)
offer('spend', spend)
offer('reap_spent', reap_spent, FREES)
offer('count_failure', count_failure)
offer('note_success', note_success)
offer('put_session', put_session)
offer('touch_session', touch_session)
offer('reap_session', reap_session, FREES)
offer('create_instance', create_instance)
offer('replace_instance', replace_instance)
offer('delete_instance', delete_instance, FREES)
offer('swap_configuration', swap_configuration)
offer('swap_meta', swap_meta)
