namespace Veredus.Spool;

/// <summary>Finds out which messages an earlier process left. Reads indexes, not bodies.</summary>
internal sealed class SpoolRecovery(IDisk disk, SpoolTables tables, LargeBodies? large, Quarantine quarantine, FoundSegments found)
{
    private readonly Dictionary<uint, uint> _firstSlots = [];
    private bool _loaded;

    /// <summary>What the records say, before it is put together.</summary>
    private sealed class Findings
    {
        public HashSet<(ulong Id, ulong Body)> Removed { get; } = [];

        public Dictionary<ulong, StoredBody> Bodies { get; } = [];

        public Dictionary<(ulong Id, ulong Body), FoundEnvelope> Envelopes { get; } = [];

        public Dictionary<(ulong Id, ulong Body), AttemptMeta> Attempts { get; } = [];
    }

    private readonly record struct FoundEnvelope(Segment Segment, int Offset, int RecordBytes, uint Revision, long Received, long BodyLength, uint[] Others);

    /// <summary>Reads what all segments hold and restores the live messages; a second call does nothing.</summary>
    /// <param name="repair">Write missing indexes and delete orphans; otherwise only look.</param>
    public void Load(bool repair)
    {
        if (_loaded)
            return;
        _loaded = true;
        var findings = new Findings();
        foreach (var segment in found.Used)
            Load(segment, repair, findings);
        foreach (var (key, envelope) in findings.Envelopes)
        {
            if (!findings.Removed.Contains(key))
                Restore(key.Id, key.Body, envelope, findings);
        }
        if (repair)
            large?.DeleteOrphans(findings.Bodies.Values.OfType<LargeStoredBody>().Where(body => body.References > 0).Select(body => body.FileNumber).ToHashSet());
    }

    /// <summary>The live messages, those of the oldest segment first.</summary>
    /// <param name="readEnvelope">For a message whose envelope was replaced in the meantime.</param>
    public IEnumerable<RecoveredMessage> Announce(Func<StoredMessage, Envelope> readEnvelope)
    {
        foreach (var segment in found.Used.OrderBy(segment => _firstSlots.GetValueOrDefault(segment.Segment.Number, uint.MaxValue)))
        {
            foreach (var message in Announce(segment))
                yield return message;
            segment.Contents = null;
        }
        foreach (var message in tables.Unannounced())
        {
            message.Unannounced = false;
            yield return new(message, readEnvelope(message));
        }
    }

    private List<RecoveredMessage> Announce(FoundSegment segment)
    {
        var list = new List<RecoveredMessage>();
        foreach (var record in segment.Read(disk, out _))
        {
            if (record.Header.Type is not RecordType.Envelope || tables.FindUnannounced(record.Header.Id, segment.Segment, record.Offset) is not { } message)
                continue;
            message.Unannounced = false;
            if (EnvelopeCodec.TryRead(record.Meta[EnvelopeMeta.Size..], out var envelope))
            {
                list.Add(new(message, envelope));
                continue;
            }
            // It stays in its segment, which is therefore never given back.
            tables.BeginRemoval(message);
            quarantine.SetAside(segment.Segment, record.Offset, record.Header.TotalLength, $"The envelope of {message.Id} cannot be read by this version; the message is not delivered.");
        }
        return list;
    }

    private void Load(FoundSegment foundSegment, bool repair, Findings findings)
    {
        var segment = foundSegment.Segment;
        var contents = foundSegment.Read(disk, out var isIndexed);
        segment.Indexed = true;  // or about to be
        (segment.End, segment.SyncedEnd) = (contents.End, contents.SyncedEnd);
        foreach (var gap in contents.Gaps)
        {
            if (gap.IsDamage)
                quarantine.SetAside(segment, gap.Offset, gap.Length, "No record can be read where there was one.");
        }
        foreach (var record in contents)
            Note(segment, record, findings);
        if (!repair || isIndexed)
            return;
        // After a kill, not a power cut, some of it may be in memory only; what this process builds on it must not be gone after the next crash.
        segment.File.Sync();
        try
        {
            SegmentIndex.Write(disk, segment.Path, contents);
        }
        catch (DiskException)
        {
            // The next start reads the segment again.
        }
    }

    private void Note(Segment segment, in SegmentContents.Record record, Findings findings)
    {
        var id = record.Header.Id;
        var meta = record.Meta;
        var length = record.Header.TotalLength;
        switch (record.Header.Type)
        {
            case RecordType.Body when BodyMeta.TryRead(meta, out var body):
                var whole = record.Header.PayloadLength + body.LargeLength;
                var stored = body.IsLarge ? new LargeStoredBody(id, whole, body.FileNumber) : new StoredBody(id, whole);
                (stored.Segment, stored.Offset, stored.RecordBytes) = (segment, record.Offset, length);
                findings.Bodies[id] = stored;
                break;
            case RecordType.Envelope when EnvelopeMeta.TryRead(meta, out var envelope) && EnvelopeCodec.TryReadReceived(meta[EnvelopeMeta.Size..], out var received):
                NoteEnvelope(findings.Envelopes, (id, envelope.BodyId), new(segment, record.Offset, length, envelope.Revision, received, envelope.BodyLength, []));
                var slot = new MessageId(id).Slot;
                _firstSlots[segment.Number] = Math.Min(slot, _firstSlots.GetValueOrDefault(segment.Number, uint.MaxValue));
                break;
            case RecordType.Attempt when AttemptMeta.TryRead(meta, out var attempt):
                segment.AttemptRecords++;
                if (!findings.Attempts.TryGetValue((id, attempt.BodyId), out var last) || last.Count <= attempt.Count)
                    findings.Attempts[(id, attempt.BodyId)] = attempt;
                break;
            case RecordType.Removal when RemovalMeta.TryRead(meta, out var removal):
                segment.RemovalTargets.UnionWith(removal.Segments);
                findings.Removed.Add((id, removal.BodyId));
                break;
            default:
                segment.Damaged = true;
                quarantine.SetAside(segment, record.Offset, length, $"A record of type {record.Header.Type} cannot be read by this version.");
                break;
        }
    }

    private static void NoteEnvelope(Dictionary<(ulong, ulong), FoundEnvelope> envelopes, (ulong, ulong) key, FoundEnvelope envelope)
    {
        if (envelopes.TryGetValue(key, out var other))
        {
            var (newer, older) = other.Revision > envelope.Revision ? (other, envelope) : (envelope, other);
            envelope = newer with { Others = [.. other.Others, older.Segment.Number] };
        }
        envelopes[key] = envelope;
    }

    private void Restore(ulong id, ulong bodyId, in FoundEnvelope envelope, Findings findings)
    {
        if (!findings.Bodies.TryGetValue(bodyId, out var body) || body.Length != envelope.BodyLength)
        {
            // A torn write may have left the envelope without its body; if it was promised, that is damage.
            if (envelope.Offset < envelope.Segment.SyncedEnd)
            {
                envelope.Segment.Damaged = true;
                quarantine.SetAside(envelope.Segment, envelope.Offset, envelope.RecordBytes, $"The body of {new MessageId(id)} is missing.");
            }
            return;
        }
        var message = new StoredMessage(new(id), body, envelope.Received)
        {
            Segment = envelope.Segment,
            Offset = envelope.Offset,
            RecordBytes = envelope.RecordBytes,
            Revision = (ushort)envelope.Revision,
            Unannounced = true,
        };
        if (findings.Attempts.TryGetValue((id, bodyId), out var attempt))
            SpoolTables.SetAttempt(message, attempt);
        if (!tables.Restore(message, envelope.Others))
            quarantine.SetAside(envelope.Segment, envelope.Offset, envelope.RecordBytes, $"There are two different messages {message.Id}.");
    }
}
