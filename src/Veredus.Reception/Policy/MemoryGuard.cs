using System.Globalization;

namespace Veredus.Reception.Policy;

/// <summary>How much memory the process may use and uses, in octets.</summary>
public sealed record MemoryUse(long Limit, long Used)
{
    public bool IsAbove(double percent) => Limit > 0 && Used >= Limit / 100.0 * percent;
}

/// <summary>
/// Tells whether memory is above <c>memory_hwm</c>. Reads the limits of the control group where there are any, else the memory of the machine;
/// looks at most once a second. Thread-safe.
/// </summary>
/// <param name="read">Reads the present use.</param>
/// <param name="time">The clock for "once a second".</param>
public sealed class MemoryGuard(Func<MemoryUse> read, TimeProvider time)
{
    private long _lastLook = time.GetTimestamp();
    private MemoryUse _use = read();

    public MemoryUse Use
    {
        get
        {
            var last = Volatile.Read(ref _lastLook);
            var now = time.GetTimestamp();
            if (time.GetElapsedTime(last, now) >= TimeSpan.FromSeconds(1) && Interlocked.CompareExchange(ref _lastLook, now, last) == last)
                _use = read();
            return _use;
        }
    }

    /// <summary>Whether use is above this share of the limit; 0 or less: never.</summary>
    public bool IsAbove(double percent) => percent > 0 && Use.IsAbove(percent);

    /// <summary>Reads the control group's limit and use (version 2), or the machine's memory and this process's resident set.</summary>
    /// <param name="root">Root of the file system; another one in tests.</param>
    public static MemoryUse Read(string root = "/")
    {
        if (FirstLine(Path.Combine(root, "proc/self/cgroup"), "0::") is { } name)
        {
            var group = Path.Combine(root, "sys/fs/cgroup", name.TrimStart('/'));
            if (Number(FirstLine(Path.Combine(group, "memory.max"), "")) is { } limit && Number(FirstLine(Path.Combine(group, "memory.current"), "")) is { } current)
            {
                // The page cache counts as use there, but the kernel takes it back before it refuses anything.
                var cache = Number(FirstLine(Path.Combine(group, "memory.stat"), "inactive_file ")) ?? 0;
                return new(limit, Math.Max(0, current - cache));
            }
        }

        return new(Kilobytes(FirstLine(Path.Combine(root, "proc/meminfo"), "MemTotal:")), Kilobytes(FirstLine(Path.Combine(root, "proc/self/status"), "VmRSS:")));
    }

    private static long? Number(string? text) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    private static long Kilobytes(string? text) => Number(text?.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [var number, "kB"] ? number : null) * 1024 ?? 0;

    /// <summary>The rest of the first line that begins with the prefix; <see langword="null"/> when there is none or the file cannot be read.</summary>
    private static string? FirstLine(string file, string prefix)
    {
        try
        {
            foreach (var line in File.ReadLines(file))
            {
                if (line.StartsWith(prefix, StringComparison.Ordinal))
                    return line[prefix.Length..].Trim();
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Another kind of control group, or none for us: the caller falls back.
        }

        return null;
    }
}
