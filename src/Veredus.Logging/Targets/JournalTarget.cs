using Veredus.Journal;

namespace Veredus.Logging;

/// <summary>A journal with subscribers: one record for each line, its LF included. On disk within a second, as the journal's safety says.</summary>
public sealed class JournalTarget : ILogTarget
{
    private readonly JournalDestination _destination;
    private readonly TimeProvider _time;
    private JournalWriter _writer;
    private RecordBuffer _buffer;
    private readonly JournalWatch _watch;
    private int _taken;

    /// <exception cref="IOException">The journal is damaged or can't be made.</exception>
    public JournalTarget(JournalDestination destination, TimeProvider? time = null)
    {
        _destination = destination;
        _time = time ?? TimeProvider.System;
        _watch = new(destination, _time);
        (_writer, _buffer) = Open();
    }

    public string Name => _destination.Directory;

    public void Write(ReadOnlySpan<byte> lines)
    {
        var now = (_time.GetUtcNow().Ticks - DateTimeOffset.UnixEpoch.Ticks) / TimeSpan.TicksPerMicrosecond;
        _buffer.Clear();
        var skip = _taken;
        for (var rest = lines; !rest.IsEmpty;)
        {
            var end = rest.IndexOf((byte)'\n') is >= 0 and var at ? at + 1 : rest.Length;
            if (skip-- <= 0)
                _buffer.Add(rest[..end], now);
            rest = rest[end..];
        }
        var count = _buffer.Count;
        try
        {
            _writer.Append(_buffer);
        }
        catch (IOException)
        {
            // The caller brings the same lines again: those that are in a finished segment already must not go in twice.
            _taken += count - _buffer.Count;
            throw;
        }
        _taken = 0;
        _watch.Look(lines.Length);
    }

    public string? TakeNotice() => _watch.TakeNotice();

    /// <summary>Opens the journal anew; there is nothing to rotate.</summary>
    public void Reopen()
    {
        var (oldWriter, oldBuffer) = (_writer, _buffer);
        (_writer, _buffer) = Open();
        oldBuffer.Dispose();
        oldWriter.Dispose();
    }

    public void Dispose()
    {
        _buffer.Dispose();
        _writer.Dispose();
    }

    private (JournalWriter Writer, RecordBuffer Buffer) Open()
    {
        if (!Directory.Exists(_destination.Directory))
            JournalDirectory.Create(_destination.Directory);
        var present = JournalDirectory.Subscribers(_destination.Directory).Select(entry => entry.Subscriber).ToHashSet(StringComparer.Ordinal);
        foreach (var subscriber in _destination.Subscribers.Where(name => !present.Contains(name)))
            JournalDirectory.AddSubscriber(_destination.Directory, subscriber);
        var writer = JournalWriter.Open(_destination.Directory, _time);
        return (writer, writer.CreateBuffer());
    }
}
