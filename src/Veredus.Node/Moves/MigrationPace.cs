using System.Globalization;
using Veredus.Moves;

namespace Veredus.Node.Moves;

/// <summary>How many messages may leave the queues of bindings that have moved: fewer where the processors are short, for what they cost is taken from other mail.</summary>
internal sealed class MigrationPace(TimeProvider time)
{
    /// <summary>Time that runnable tasks had to wait for a processor, since the machine's start (the kernel's Documentation/accounting/psi.rst). Absent: the kernel does not count it.</summary>
    private const string PressureFile = "/proc/pressure/cpu";

    private long _filledAt = time.GetTimestamp(), _measuredAt = time.GetTimestamp();
    private long? _waitedUs = WaitedUs();
    private int _rate = MoveRules.MigrationRate(0);
    private double _allowed = Most(MoveRules.MigrationRate(0));

    /// <summary>Messages that may leave now.</summary>
    public int Allowed()
    {
        var now = time.GetTimestamp();
        _allowed = Math.Min(Most(_rate), _allowed + _rate * time.GetElapsedTime(_filledAt, now).TotalSeconds);
        _filledAt = now;
        return (int)_allowed;
    }

    /// <summary>So many have left.</summary>
    public void Took(int count)
    {
        _allowed -= count;
        var elapsed = time.GetElapsedTime(_measuredAt);
        if (count == 0 || elapsed < TimeSpan.FromSeconds(1))
            return;
        var waited = WaitedUs();
        _rate = MoveRules.MigrationRate((waited - _waitedUs) / elapsed.TotalMicroseconds ?? 0);
        (_waitedUs, _measuredAt) = (waited, time.GetTimestamp());
    }

    /// <summary>Of a tenth of a second: nothing is made up for later.</summary>
    private static double Most(int rate) => rate / 10.0;

    private static long? WaitedUs()
    {
        try
        {
            // some avg10=0.00 avg60=0.00 avg300=0.00 total=12345
            var line = File.ReadLines(PressureFile).FirstOrDefault() ?? "";
            return line.LastIndexOf('=') is >= 0 and var at && long.TryParse(line.AsSpan(at + 1), CultureInfo.InvariantCulture, out var total) ? total : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
