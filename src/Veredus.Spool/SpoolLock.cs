using System.Globalization;

namespace Veredus.Spool;

/// <summary>Who owns a spool, as its lock file says. One <c>name value</c> pair a line after a first line with the format.</summary>
/// <param name="Node">Name of the node.</param>
/// <param name="Instance">Instance number on its machine.</param>
/// <param name="ProcessId">Process of the owner.</param>
/// <param name="Machine">Machine id, which lasts.</param>
/// <param name="Boot">Boot id of that machine.</param>
/// <param name="Started">When the owner took the lock.</param>
/// <param name="Renewed">When it last said that it lives.</param>
/// <param name="TakeOverOf">The node whose spool another node imports, or has imported; it may come back to it.</param>
public sealed record SpoolOwner(string Node, int Instance, int ProcessId, string Machine, string Boot, DateTimeOffset Started, DateTimeOffset Renewed, string? TakeOverOf = null)
{
    /// <summary>How often the spool was taken: who holds an earlier number has lost it.</summary>
    public uint Epoch { get; init; }

    private const string FirstLine = "veredus-spool-lock 1";

    public string Format() => string.Create(CultureInfo.InvariantCulture, $"""
        {FirstLine}
        node {Node}
        instance {Instance}
        pid {ProcessId}
        machine {Machine}
        boot {Boot}
        started {Started.UtcDateTime:yyyy-MM-ddTHH:mm:ssZ}
        renewed {Renewed.UtcDateTime:yyyy-MM-ddTHH:mm:ssZ}
        epoch {Epoch}
        {(TakeOverOf is null ? "" : $"takeover_of {TakeOverOf}\n")}
        """);

    /// <summary>Reads a record; unknown lines are ignored.</summary>
    public static bool TryParse(string text, out SpoolOwner owner)
    {
        owner = null!;
        var lines = text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        if (lines is not [FirstLine, ..])
            return false;
        var values = new Dictionary<string, string>();
        foreach (var line in lines.Skip(1))
        {
            var space = line.IndexOf(' ', StringComparison.Ordinal);
            if (space > 0)
                values[line[..space]] = line[(space + 1)..];
        }
        if (values.GetValueOrDefault("node") is not { } node)
            return false;
        owner = new(
            node,
            Number("instance"),
            Number("pid"),
            values.GetValueOrDefault("machine", ""),
            values.GetValueOrDefault("boot", ""),
            Time("started"),
            Time("renewed"),
            values.GetValueOrDefault("takeover_of")) { Epoch = (uint)Number("epoch") };
        return true;

        int Number(string name) => int.TryParse(values.GetValueOrDefault(name), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;

        DateTimeOffset Time(string name) => DateTimeOffset.TryParse(values.GetValueOrDefault(name), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time : default;
    }

    internal static (string Machine, string Boot) ThisMachine() => (Read("/etc/machine-id"), Read("/proc/sys/kernel/random/boot_id"));

    private static string Read(string path)
    {
        try
        {
            return File.ReadAllText(path).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "unknown";
        }
    }
}
