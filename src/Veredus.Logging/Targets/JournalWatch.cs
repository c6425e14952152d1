using System.Globalization;
using Veredus.Journal;

namespace Veredus.Logging;

/// <summary>Keeps a journal within its limit and notices subscribers that do not read.</summary>
internal sealed class JournalWatch(JournalDestination destination, TimeProvider time)
{
    /// <summary>What may wait for a subscriber before the operator is told.</summary>
    public const long MuchWaits = 1L << 30;

    private const long LookAfterBytes = 4 << 20;
    private static readonly TimeSpan LookAfter = TimeSpan.FromMinutes(1), LongAgo = TimeSpan.FromHours(24);

    private readonly HashSet<string> _late = new(StringComparer.Ordinal);
    private readonly List<string> _notices = [];
    private long _looked = time.GetTimestamp();
    private long _written;

    /// <summary>Looks once a minute, and sooner when much was written.</summary>
    public void Look(int bytes)
    {
        _written += bytes;
        var (isMuch, isLong) = (destination.MaxBytes > 0 && _written >= LookAfterBytes, time.GetElapsedTime(_looked) >= LookAfter);
        if (!isMuch && !isLong)
            return;
        _written = 0;
        try
        {
            if (destination.MaxBytes > 0)
                Trim();
            if (!isLong)
                return;
            _looked = time.GetTimestamp();
            FindLate();
        }
        catch (IOException e)
        {
            _notices.Add(e.Message);
        }
    }

    public string? TakeNotice()
    {
        if (_notices.Count == 0)
            return null;
        var text = string.Join("; ", _notices);
        _notices.Clear();
        return text;
    }

    private void Trim()
    {
        foreach (var (subscriber, lost) in JournalDirectory.Trim(destination.Directory, destination.MaxBytes))
        {
            _notices.Add(string.Create(CultureInfo.InvariantCulture,
                $"max_bytes={destination.MaxBytes} is reached: the oldest {lost} octets went although '{subscriber}' had not read them"));
        }
    }

    private void FindLate()
    {
        var now = time.GetUtcNow();
        foreach (var (subscriber, _, waiting, oldest) in JournalBacklog.Read(destination.Directory))
        {
            var age = oldest is { } since ? now - DateTimeOffset.FromUnixTimeMilliseconds(since / 1000) : TimeSpan.Zero;
            if (waiting <= MuchWaits && age <= LongAgo)
                _late.Remove(subscriber);
            else if (_late.Add(subscriber))
                _notices.Add(string.Create(CultureInfo.InvariantCulture,
                    $"'{subscriber}' has not read {waiting >> 20} MiB, the oldest {age.TotalHours:0.0} h old; if nobody reads as '{subscriber}' any more: veredus journal remove {destination.Directory} {subscriber}"));
        }
    }
}
