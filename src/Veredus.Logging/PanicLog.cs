using System.Globalization;

namespace Veredus.Logging;

/// <summary>Decides what an operator is told: filters, collapses repeats, keeps the last entries.</summary>
internal sealed class PanicLog(TimeProvider time, Action<PanicLevel, PanicRecord> write) : IDisposable
{
    /// <summary>Entries kept for each level.</summary>
    public const int Kept = 10;

    /// <summary>Identical lines in one second beyond this many are counted instead of written.</summary>
    public const int MaxRepeats = 10;

    // Distinct texts that are counted in one second; more than these are only bounded by the streams.
    private const int MaxTexts = 256;

    private readonly Lock _gate = new();
    private readonly Dictionary<PanicLevel, Queue<PanicEntry>> _recent = [];
    private readonly Dictionary<(PanicLevel Level, string Text), int> _seen = [];
    private long _second;
    private ITimer? _summary;

    /// <summary>Replaced as a whole at a reload.</summary>
    public PanicSettings Settings { get; set; } = new();

    public bool IsShown(PanicLevel level, PanicSubsystems subsystem, string module)
    {
        var settings = Settings;
        return (settings.Flags.TryGetValue(level, out var subsystems) && (subsystems & subsystem) != 0)
            || (settings.ModuleLevels.TryGetValue(module, out var from) && level >= from);
    }

    public void Add(PanicLevel level, PanicSubsystems subsystem, string module, string text)
    {
        var now = time.GetUtcNow().ToUnixTimeSeconds();
        var line = module.Length == 0 ? text : $"{module}: {text}";
        lock (_gate)
        {
            if (!_recent.TryGetValue(level, out var recent))
                _recent[level] = recent = new(Kept + 1);
            recent.Enqueue(new(now, level, line));
            if (recent.Count > Kept)
                recent.Dequeue();
            if (!IsShown(level, subsystem, module))
                return;
            if (now != _second)
                EndSecond(now);
            if (IsRepeat(level, line))
                return;
        }
        write(level, new(now, line));
    }

    public IReadOnlyList<PanicEntry> Recent(PanicLevel level)
    {
        lock (_gate)
            return _recent.TryGetValue(level, out var recent) ? [.. recent] : [];
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _summary?.Dispose();
            EndSecond(_second);
        }
    }

    private bool IsRepeat(PanicLevel level, string line)
    {
        var count = _seen.GetValueOrDefault((level, line)) + 1;
        if (count > 1 || _seen.Count < MaxTexts)
            _seen[(level, line)] = count;
        if (count <= MaxRepeats)
            return false;
        if (_summary is null)
        {
            _summary = time.CreateTimer(static state => ((PanicLog)state!).OnSummary(), this, TimeSpan.FromSeconds(1), Timeout.InfiniteTimeSpan);
        }
        else if (count == MaxRepeats + 1)
        {
            _summary.Change(TimeSpan.FromSeconds(1), Timeout.InfiniteTimeSpan);
        }
        return true;
    }

    private void OnSummary()
    {
        lock (_gate)
            EndSecond(time.GetUtcNow().ToUnixTimeSeconds());
    }

    private void EndSecond(long now)
    {
        foreach (var ((level, line), count) in _seen)
        {
            if (count > MaxRepeats)
                write(level, new(_second, string.Create(CultureInfo.InvariantCulture, $"{line} (repeated {count - MaxRepeats} more times)")));
        }
        _seen.Clear();
        _second = now;
    }
}
