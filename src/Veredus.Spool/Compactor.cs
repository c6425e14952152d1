namespace Veredus.Spool;

/// <summary>In the background: makes segments ahead of need, indexes full ones, gives dead ones back, and copies what lives in sparse ones elsewhere.</summary>
internal sealed class Compactor(
    SpoolOptions options, IDisk disk, SegmentPool pool, SpoolTables tables, LogWriter writer, Quarantine quarantine, TimeProvider time) : IDisposable
{
    private readonly SemaphoreSlim _signal = new(0);
    private readonly CancellationTokenSource _stop = new();
    private ITimer? _timer;
    private Task _loop = Task.CompletedTask;
    private volatile bool _enabled;
    private int _awake;
    private Segment? _cold;
    private double _debt;

    public long SegmentsCompacted { get; private set; }

    public long BytesCompacted { get; private set; }

    public void Start()
    {
        writer.SegmentChanged = Wake;
        _timer = time.CreateTimer(static compactor => ((Compactor)compactor!).Wake(), this, options.CompactAfter, options.CompactAfter);
        _loop = Task.Run(RunAsync);
    }

    /// <summary>What lives is known now: segments may be given back.</summary>
    public void Enable()
    {
        _enabled = true;
        Wake();
    }

    public void Wake()
    {
        if (Interlocked.Exchange(ref _awake, 1) == 0)
            _signal.Release();
    }

    public async Task StopAsync()
    {
        if (_timer is not null)
            await _timer.DisposeAsync();
        await _stop.CancelAsync();
        Wake();
        await _loop;
    }

    public void Dispose()
    {
        _signal.Dispose();
        _stop.Dispose();
    }

    /// <summary>Indexes the segments that were being filled when the spool was closed, so that the next start need not read them.</summary>
    public void IndexLast()
    {
        foreach (var segment in (Segment?[])[writer.Current, _cold])
        {
            if (segment is not null && writer.Fault is null)
                TryIndex(segment);
        }
    }

    /// <summary>Does one piece of work; <see langword="false"/> if there was none.</summary>
    public async Task<bool> StepAsync()
    {
        TryPrepare();
        if (tables.Locked(view => view.Segments.FirstOrDefault(segment => segment is { Sealed: true, Indexed: false, End: > 0 })) is { } full)
        {
            TryIndex(full);
            return true;
        }
        if (!_enabled || writer.Fault is not null)
            return false;
        if (tables.Locked(FindDead) is { } dead)
        {
            GiveBack(dead);
            return true;
        }
        if (tables.Locked(FindSparse) is not { } sparse)
            return false;
        return await EvacuateAsync(sparse);
    }

    private async Task RunAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            await _signal.WaitAsync();
            Volatile.Write(ref _awake, 0);
            try
            {
                while (!_stop.IsCancellationRequested && await StepAsync())
                {
                }
            }
            catch (DiskException e)
            {
                // Nothing is lost: what was not copied is where it was. The timer brings the next try.
                options.Notice?.Invoke($"spool: compaction stopped: {e.Message}");
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private void TryPrepare()
    {
        try
        {
            pool.Prepare();
        }
        catch (DiskException)
        {
            // A full disk: mail is refused when it comes to that, with the same error.
        }
    }

    private void TryIndex(Segment segment)
    {
        segment.Indexed = true;
        try
        {
            SegmentIndex.Write(disk, segment.Path, SegmentScan.Read(segment.File, segment.Number, segment.End, segment.SyncedEnd));
        }
        catch (DiskException)
        {
            // The next start reads the segment itself.
        }
    }

    private static bool HasRemovalsToKeep(in SpoolTables.View view, Segment segment)
    {
        foreach (var target in segment.RemovalTargets)
        {
            if (target != segment.Number && view.Exists(target))
                return true;
        }
        return false;
    }

    private static Segment? FindDead(SpoolTables.View view)
    {
        foreach (var segment in view.Segments)
        {
            if (segment is { Sealed: true, Pins: 0 } && !segment.Damaged
                && (segment.Evacuated || segment is { LiveBytes: 0, AttemptRecords: 0 } && !HasRemovalsToKeep(view, segment)))
                return segment;
        }
        return null;
    }

    private Segment? FindSparse(SpoolTables.View view)
    {
        Segment? sparsest = null;
        foreach (var segment in view.Segments)
        {
            if (segment is { Sealed: true, Damaged: false, Evacuated: false } && segment.LiveBytes <= segment.Size / 2
                && segment.LiveBytes < (sparsest?.LiveBytes ?? long.MaxValue)
                && (segment.SealedAt == 0 || time.GetElapsedTime(segment.SealedAt) >= options.CompactAfter))
                sparsest = segment;
        }
        return sparsest;
    }

    private void GiveBack(Segment segment)
    {
        try
        {
            pool.GiveBack(segment, tables.LastSlot);
        }
        catch (DiskException)
        {
            segment.Damaged = true;
            throw;
        }
        tables.RemoveSegment(segment);
    }

    private async Task<bool> EvacuateAsync(Segment source)
    {
        var contents = SegmentIndex.TryRead(disk, source.Path, source.Number) ?? SegmentScan.Read(source.File, source.Number, source.End, source.SyncedEnd);
        var plan = tables.Locked(view => EvacuationPlan.Make(view, source, contents));
        try
        {
            foreach (var move in plan.Moves)
            {
                await PaceAsync(move.Length);
                Copy(source, move);
            }
            if (_cold is not null)
                SyncCold();
        }
        catch
        {
            foreach (var record in tables.Locked(plan.NoteCopies))
                writer.Enqueue(record);
            throw;
        }
        tables.Locked(view => plan.Publish(view, source));
        foreach (var record in plan.Carried)
            writer.Enqueue(record);
        // Also when nothing was carried: a message that is being removed was not copied, and with its last envelope gone before the
        // removal is durable, a crash would bring an older one back.
        if ((await writer.FlushAsync()).Status is not CommitStatus.Durable)
            return false;
        source.Evacuated = !source.Damaged;
        SegmentsCompacted++;
        return true;
    }

    private void Copy(Segment source, Move move)
    {
        if (_cold is null || _cold.Room < move.Length)
            RollCold(move.Length);
        var cold = _cold!;
        var record = new byte[move.Length];
        if (source.File.Read(record, move.Offset) < move.Length || !RecordHeader.TryRead(record, source.Number, move.Offset, out var header) || header.TotalLength != move.Length
            || Crc32C.Compute(record.AsSpan(RecordHeader.Size, header.MetaLength)) != header.MetaCrc
            || Crc32C.Compute(record.AsSpan(RecordHeader.Size + header.MetaLength, header.PayloadLength)) != header.PayloadCrc)
        {
            source.Damaged = true;
            quarantine.SetAside(source, move.Offset, move.Length, "A record is damaged; it was found when it should be copied.");
            return;
        }
        (header with { Segment = cold.Number, OffsetUnits = (uint)cold.End / RecordHeader.Unit, SyncedUnits = (uint)cold.SyncedEnd / RecordHeader.Unit }).Write(record);
        cold.File.Write(record, cold.End);
        (move.Target, move.TargetOffset) = (cold, cold.End);
        cold.End += move.Length;
        BytesCompacted += move.Length;
    }

    private void RollCold(int bytes)
    {
        var full = _cold;
        if (full is not null)
        {
            SyncCold();
            _cold = null;
            (full.SealedAt, full.Sealed) = (time.GetTimestamp(), true);
        }
        _cold = pool.Take(bytes, forMail: false, tables.LastSlot, full);
        tables.AddSegment(_cold);
    }

    private void SyncCold()
    {
        if (options.Sync)
            _cold!.File.Sync();
        _cold!.SyncedEnd = _cold.End;
    }

    private Task PaceAsync(int bytes)
    {
        var seconds = (double)bytes / options.CompactionBytesPerSecond;
        _debt += seconds;
        if (_debt < 0.02)
            return Task.CompletedTask;
        var delay = TimeSpan.FromSeconds(_debt);
        _debt = 0;
        return Task.Delay(delay, time, _stop.Token);
    }
}

/// <summary>One record that is copied out of a segment.</summary>
internal sealed record Move(int Offset, int Length, StoredMessage? Message, StoredBody? Body)
{
    public Segment? Target { get; set; }

    public int TargetOffset { get; set; }
}

/// <summary>What of a segment still counts.</summary>
/// <param name="Moves">Bodies and envelopes, in the order of the file.</param>
/// <param name="Carried">Removals and attempts to be written again.</param>
internal sealed record EvacuationPlan(List<Move> Moves, List<SideRecord> Carried)
{
    public static EvacuationPlan Make(in SpoolTables.View view, Segment source, SegmentContents contents)
    {
        var plan = new EvacuationPlan([], []);
        var bodies = new Dictionary<ulong, StoredBody>();
        foreach (var record in contents)
        {
            if (record.Header.Type is RecordType.Envelope && view.Find(record.Header.Id) is { } message && message.Segment == source && message.Offset == record.Offset)
            {
                plan.Moves.Add(new(record.Offset, record.Header.TotalLength, message, null));
                bodies[message.Body.Id] = message.Body;
            }
        }
        foreach (var record in contents)
        {
            switch (record.Header.Type)
            {
                case RecordType.Body:
                    if ((bodies.GetValueOrDefault(record.Header.Id) ?? view.FindStray(record.Header.Id)) is { References: > 0 } body && body.Segment == source && body.Offset == record.Offset)
                        plan.Moves.Add(new(record.Offset, record.Header.TotalLength, null, body));
                    break;
                case RecordType.Attempt when AttemptMeta.TryRead(record.Meta, out var attempt):
                    if (view.Find(record.Header.Id) is { } message && message.Body.Id == attempt.BodyId && message.AttemptCount == attempt.Count)
                        plan.Carried.Add(new(RecordType.Attempt, message.Id, null, attempt, default));
                    break;
                case RecordType.Removal when RemovalMeta.TryRead(record.Meta, out var removal):
                    var targets = Existing(view, removal.Segments, source);
                    if (targets.Length > 0)
                        plan.Carried.Add(new(RecordType.Removal, new(record.Header.Id), null, default, removal with { Segments = targets }));
                    break;
            }
        }
        plan.Moves.Sort((left, right) => left.Offset.CompareTo(right.Offset));
        return plan;
    }

    /// <summary>The copies are durable: from now on they are what counts.</summary>
    public bool Publish(in SpoolTables.View view, Segment source)
    {
        foreach (var move in Moves)
        {
            if (move is { Body: { References: > 0 } body, Target: { } target } && body.Segment == source)
            {
                source.LiveBytes -= move.Length;
                target.LiveBytes += move.Length;
                (body.Segment, body.Offset) = (target, move.TargetOffset);
                if (source.Damaged)
                    view.NoteStray(body);
            }
        }
        foreach (var move in Moves)
        {
            if (move is not { Message: { } message, Target: { } target })
                continue;
            if (message.State is not MessageState.Live)
            {
                // Removed while it was copied: the removal named the old place only.
                Carried.Add(new(RecordType.Removal, message.Id, null, default, new(message.Body.Id, [target.Number])));
                continue;
            }
            if (message.Segment != source || message.Offset != move.Offset)
            {
                view.NoteOlder(message, target.Number);  // its envelope was replaced while the old one was copied
                continue;
            }
            source.LiveBytes -= move.Length;
            target.LiveBytes += move.Length;
            (message.Segment, message.Offset) = (target, move.TargetOffset);
            if (source.Damaged)
                view.NoteOlder(message, source.Number);
            if (message.Body.Segment != target)
                view.NoteStray(message.Body);
        }
        if (!source.Damaged)
            view.NoteLeaving(source);
        return true;
    }

    /// <summary>Copying ended half-way: what was copied is a second copy, which a removal must know of; those of messages removed meanwhile are returned.</summary>
    public List<SideRecord> NoteCopies(SpoolTables.View view)
    {
        var removals = new List<SideRecord>();
        foreach (var move in Moves)
        {
            if (move is not { Message: { } message, Target: { } target })
                continue;
            if (message.State is MessageState.Live)
                view.NoteOlder(message, target.Number);
            else
                removals.Add(new(RecordType.Removal, message.Id, null, default, new(message.Body.Id, [target.Number])));
        }
        return removals;
    }

    private static uint[] Existing(in SpoolTables.View view, uint[] segments, Segment except)
    {
        var existing = new List<uint>(segments.Length);
        foreach (var segment in segments)
        {
            if (segment != except.Number && view.Exists(segment))
                existing.Add(segment);
        }
        return [.. existing];
    }
}
