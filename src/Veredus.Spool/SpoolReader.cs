namespace Veredus.Spool;

/// <summary>Reads a spool without its server and without its lock; changes nothing. While a server runs, messages may come and go between the lines.</summary>
public sealed class SpoolReader : IDisposable
{
    private readonly SpoolTables _tables = new();
    private readonly LargeBodies _large;
    private readonly SpoolRecovery _recovery;
    private readonly Quarantine _damage;
    private bool _loaded;

    /// <exception cref="SpoolOpenException">No spool, or a newer one.</exception>
    public SpoolReader(string spoolBase) : this(spoolBase, new LinuxDisk(UnixFileMode.UserRead | UnixFileMode.UserWrite))
    {
    }

    public SpoolReader(string spoolBase, IDisk disk)
    {
        try
        {
            var id = SpoolFormat.TryRead(disk, spoolBase) ?? throw new SpoolOpenException($"spool: '{spoolBase}' is no Veredus spool: it has no file 'spool.format'.");
            _damage = new(disk, null, null);
            var found = FoundSegments.Read(disk, spoolBase, id, _damage, repair: false);
            foreach (var segment in found.Used)
                _tables.AddSegment(segment.Segment);
            foreach (var (file, _, _) in found.Free)
                file.Dispose();
            _large = new(disk, Path.Combine(spoolBase, SpoolFormat.Large), found.NextNumber);
            _recovery = new(disk, _tables, null, _damage, found);
        }
        catch (DiskException e)
        {
            throw new SpoolOpenException($"spool: cannot read '{spoolBase}': {e.Message}", e);
        }
    }

    /// <summary>Damaged places met so far.</summary>
    public long Damaged => _damage.Count;

    /// <summary>The messages, those of the oldest segment first; once.</summary>
    public IEnumerable<RecoveredMessage> Messages()
    {
        if (_loaded)
            throw new InvalidOperationException("The messages have been read already; open another reader.");
        _loaded = true;
        _recovery.Load(repair: false);
        return _recovery.Announce(message => throw new InvalidOperationException($"{message.Id} changed while it was read."));
    }

    /// <summary>Opens the body of a message that <see cref="Messages"/> gave.</summary>
    /// <exception cref="SpoolCorruptException">Damaged, or removed and its place reused since.</exception>
    public SpoolBodyReader OpenBody(StoredMessage message)
    {
        var body = message.Body;
        var location = RecordReader.ReadBodyHead(body.Segment!, body.Offset, body, _large);
        var file = body is LargeStoredBody large ? _large.Open(large.FileNumber) : null;
        return new(location, file, static _ => { }, static _ => { });
    }

    public void Dispose() => _tables.CloseSegments();
}
