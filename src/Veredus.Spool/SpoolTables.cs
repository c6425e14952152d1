namespace Veredus.Spool;

/// <summary>What is where: the live messages, the segments, and what in them still counts. One lock; nothing here touches the disk.</summary>
internal sealed class SpoolTables
{
    private readonly Lock _gate = new();
    private readonly Dictionary<ulong, StoredMessage> _messages = [];
    private readonly Dictionary<uint, Segment> _segments = [];

    // Bodies whose segment is not that of an envelope of theirs: compaction finds the others through the envelopes.
    private readonly Dictionary<ulong, StoredBody> _stray = [];

    // Segments that hold replaced envelopes of a message: its removal must outlive them too.
    private readonly Dictionary<StoredMessage, HashSet<uint>> _older = [];

    // Segments copied elsewhere but not given back yet: any removal may concern what stands there.
    private readonly HashSet<uint> _leaving = [];

    public uint LastSlot { get; private set; }

    public int Count
    {
        get
        {
            lock (_gate)
                return _messages.Count;
        }
    }

    public void NoteSlot(uint slot)
    {
        lock (_gate)
            LastSlot = Math.Max(LastSlot, slot);
    }

    public (int Segments, long LiveBytes) Sizes()
    {
        lock (_gate)
            return (_segments.Count, _segments.Values.Sum(segment => segment.LiveBytes));
    }

    public void AddSegment(Segment segment)
    {
        lock (_gate)
            _segments.Add(segment.Number, segment);
    }

    public void RemoveSegment(Segment segment)
    {
        lock (_gate)
        {
            _segments.Remove(segment.Number);
            _leaving.Remove(segment.Number);
            foreach (var older in _older.Values)
                older.Remove(segment.Number);
        }
    }

    public void CloseSegments()
    {
        lock (_gate)
        {
            foreach (var segment in _segments.Values)
                segment.File.Dispose();
        }
    }

    /// <summary>Claims the IDs of new messages; all or none.</summary>
    public bool TryClaim(StoredMessage[] messages, out MessageId taken)
    {
        taken = default;
        lock (_gate)
        {
            for (var i = 0; i < messages.Length; i++)
            {
                if (_messages.TryAdd(messages[i].Id.Value, messages[i]))
                    continue;
                taken = messages[i].Id;
                while (--i >= 0)
                    _messages.Remove(messages[i].Id.Value);
                return false;
            }
        }
        return true;
    }

    /// <summary>Undoes <see cref="TryClaim"/>.</summary>
    public void Disclaim(StoredMessage[] messages)
    {
        lock (_gate)
        {
            foreach (var message in messages)
                _messages.Remove(message.Id.Value);
        }
    }

    public StoredMessage? Find(MessageId id)
    {
        lock (_gate)
            return _messages.GetValueOrDefault(id.Value) is { State: MessageState.Live } message ? message : null;
    }

    /// <summary>What is durable now becomes visible.</summary>
    public void Publish(List<WriteRequest> requests)
    {
        lock (_gate)
        {
            foreach (var request in requests)
            {
                if (request.Kind is RequestKind.Commit)
                    PublishCommit(request);
                else if (request.Kind is RequestKind.Update)
                    PublishUpdate(request.Messages[0], request.Segment!, request.Offset, request.Bytes);
            }
        }
    }

    /// <summary>Adds a message found at start; claims its ID.</summary>
    public bool Restore(StoredMessage message, IEnumerable<uint> olderCopies)
    {
        lock (_gate)
        {
            if (!_messages.TryAdd(message.Id.Value, message))
                return false;
            message.State = MessageState.Live;
            message.Segment!.LiveBytes += message.RecordBytes;
            if (message.Body.References++ == 0)
                message.Body.Segment!.LiveBytes += message.Body.RecordBytes;
            if (message.Body.Segment != message.Segment)
                _stray[message.Body.Id] = message.Body;
            if (olderCopies.Any())
                _older[message] = [.. olderCopies];
            return true;
        }
    }

    /// <summary>The message found at start whose envelope stands there, if it has not been given to the queues.</summary>
    public StoredMessage? FindUnannounced(ulong id, Segment segment, int offset)
    {
        lock (_gate)
            return _messages.GetValueOrDefault(id) is { State: MessageState.Live, Unannounced: true } message && message.Segment == segment && message.Offset == offset ? message : null;
    }

    /// <summary>All messages found at start that have not been given to the queues.</summary>
    public List<StoredMessage> Unannounced()
    {
        lock (_gate)
            return [.. _messages.Values.Where(message => message is { State: MessageState.Live, Unannounced: true })];
    }

    public List<StoredMessage> Snapshot()
    {
        lock (_gate)
            return [.. _messages.Values.Where(message => message.State is MessageState.Live)];
    }

    public bool IsLive(StoredMessage message)
    {
        lock (_gate)
            return message.State is MessageState.Live;
    }

    /// <summary>Takes a message out of circulation; <see langword="false"/> if it already is.</summary>
    public bool BeginRemoval(StoredMessage message)
    {
        lock (_gate)
        {
            if (message.State is not MessageState.Live)
                return false;
            message.State = MessageState.Removing;
            _messages.Remove(message.Id.Value);
            return true;
        }
    }

    /// <summary>The segments that a removal of <paramref name="message"/> concerns.</summary>
    public uint[] RemovalSegments(StoredMessage message)
    {
        lock (_gate)
        {
            if (_leaving.Count == 0 && !_older.ContainsKey(message))
                return [message.Segment!.Number];
            var all = new HashSet<uint>(_leaving) { message.Segment!.Number };
            all.UnionWith(_older.GetValueOrDefault(message) ?? []);
            return [.. all.Take(RemovalMeta.MaxSegments)];
        }
    }

    /// <summary>The removals are durable: their octets no longer count. Large bodies that nobody needs any more are added to <paramref name="bodies"/>.</summary>
    /// <returns>Whether a full segment has lost its last message.</returns>
    public bool EndRemovals(List<StoredMessage> messages, List<LargeStoredBody> bodies)
    {
        var emptied = false;
        lock (_gate)
        {
            foreach (var message in messages)
            {
                message.State = MessageState.Removed;
                emptied |= Deduct(message.Segment!, message.RecordBytes);
                _older.Remove(message);
                if (--message.Body.References > 0)
                    continue;
                emptied |= Deduct(message.Body.Segment!, message.Body.RecordBytes);
                _stray.Remove(message.Body.Id);
                if (message.Body is LargeStoredBody large)
                    bodies.Add(large);
            }
        }
        return emptied;

        static bool Deduct(Segment segment, int bytes) => (segment.LiveBytes -= bytes) == 0 && segment.Sealed;
    }

    /// <summary>Stands in the envelope's segment so that it stays; <see cref="Unpin"/> ends that.</summary>
    /// <exception cref="InvalidOperationException">The message has been removed.</exception>
    public (Segment Segment, int Offset, int Length) PinEnvelope(StoredMessage message)
    {
        lock (_gate)
        {
            Demand(message);
            message.Segment!.Pins++;
            return (message.Segment, message.Offset, message.RecordBytes);
        }
    }

    /// <inheritdoc cref="PinEnvelope"/>
    public (Segment Segment, int Offset, int Length) PinBody(StoredMessage message)
    {
        lock (_gate)
        {
            Demand(message);
            message.Body.Segment!.Pins++;
            return (message.Body.Segment, message.Body.Offset, message.Body.RecordBytes);
        }
    }

    /// <returns>Whether a full segment has lost its last reader.</returns>
    public bool Unpin(Segment segment)
    {
        lock (_gate)
            return --segment.Pins == 0 && segment.Sealed;
    }

    public bool RecordAttempt(StoredMessage message, AttemptRecord attempt)
    {
        lock (_gate)
        {
            if (message.State is not MessageState.Live)
                return false;
            SetAttempt(message, new(message.Body.Id, attempt.Count, (uint)Math.Clamp(attempt.Time.ToUnixTimeSeconds(), 0, uint.MaxValue), attempt.Code, attempt.Stage));
            return true;
        }
    }

    public static void SetAttempt(StoredMessage message, in AttemptMeta attempt)
    {
        message.AttemptCount = attempt.Count;
        message.AttemptTime = attempt.Time;
        message.AttemptCode = attempt.Code;
        message.AttemptStage = attempt.Stage;
    }

    /// <summary>Runs <paramref name="action"/> under the lock; for the compactor, which must see several tables at once.</summary>
    public T Locked<T>(Func<View, T> action)
    {
        lock (_gate)
            return action(new(this));
    }

    private static void Demand(StoredMessage message)
    {
        if (message.State is not MessageState.Live)
            throw new InvalidOperationException($"Message {message.Id} has been removed from the spool.");
    }

    private void PublishCommit(WriteRequest request)
    {
        var (body, offset) = (request.Body!, request.Offset);
        (body.Segment, body.Offset, body.References) = (request.Segment, offset, request.Messages.Length);
        request.Segment!.LiveBytes += request.Bytes;
        offset += body.RecordBytes;
        foreach (var message in request.Messages)
        {
            (message.Segment, message.Offset, message.State) = (request.Segment, offset, MessageState.Live);
            offset += message.RecordBytes;
            LastSlot = Math.Max(LastSlot, message.Id.Slot);
        }
    }

    private void PublishUpdate(StoredMessage message, Segment segment, int offset, int bytes)
    {
        message.Segment!.LiveBytes -= message.RecordBytes;
        AddOlder(message, message.Segment.Number);
        (message.Segment, message.Offset, message.RecordBytes) = (segment, offset, bytes);
        segment.LiveBytes += bytes;
        if (message.Body.Segment != segment)
            _stray[message.Body.Id] = message.Body;
    }

    private void AddOlder(StoredMessage message, uint segment)
    {
        if (!_older.TryGetValue(message, out var older))
            _older[message] = older = [];
        older.Add(segment);
    }

    /// <summary>The tables, seen under the lock.</summary>
    internal readonly ref struct View(SpoolTables tables)
    {
        public IEnumerable<Segment> Segments => tables._segments.Values;

        public bool Exists(uint segment) => tables._segments.ContainsKey(segment);

        public StoredMessage? Find(ulong id) => tables._messages.GetValueOrDefault(id) is { State: MessageState.Live } message ? message : null;

        public StoredBody? FindStray(ulong id) => tables._stray.GetValueOrDefault(id);

        public void NoteStray(StoredBody body) => tables._stray[body.Id] = body;

        public void NoteOlder(StoredMessage message, uint segment) => tables.AddOlder(message, segment);

        public void NoteLeaving(Segment segment) => tables._leaving.Add(segment.Number);
    }
}
