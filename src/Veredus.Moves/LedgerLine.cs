using System.Globalization;

namespace Veredus.Moves;

/// <summary>An entry of the ledger as a line of text: <c>state lineage generation id time node check</c>, ending in LF.</summary>
/// <remarks>state H, D or G; lineage 32 hex digits; id 16; generation and time (Unix ms) decimal; node <c>-</c> if none; check: FNV-1a of what is before it, 8 hex digits.</remarks>
public static class LedgerLine
{
    public static string Write(LedgerEntry entry)
    {
        var state = entry.State switch { LedgerState.Here => 'H', LedgerState.InDoubt => 'D', _ => 'G' };
        var text = string.Create(CultureInfo.InvariantCulture,
            $"{state} {entry.Lineage:n} {entry.Generation} {entry.LocalId:x16} {entry.AtMs} {(entry.Node.Length == 0 ? "-" : entry.Node)}");
        return string.Create(CultureInfo.InvariantCulture, $"{text} {Check(text):x8}\n");
    }

    /// <summary><see langword="false"/> for a torn or foreign line.</summary>
    /// <param name="line">Without its LF.</param>
    public static bool TryRead(string line, out LedgerEntry entry)
    {
        entry = default;
        var end = line.LastIndexOf(' ');
        if (end < 0 || !uint.TryParse(line.AsSpan(end + 1), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var check) || check != Check(line.AsSpan(0, end)))
            return false;
        if (line[..end].Split(' ') is not [var state, var lineage, var generation, var id, var time, var node]
            || !Guid.TryParseExact(lineage, "n", out var name) || !uint.TryParse(generation, CultureInfo.InvariantCulture, out var number)
            || !ulong.TryParse(id, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var local) || !long.TryParse(time, CultureInfo.InvariantCulture, out var at))
            return false;
        var kind = state switch { "H" => LedgerState.Here, "D" => LedgerState.InDoubt, "G" => LedgerState.Gone, _ => (LedgerState)(-1) };
        entry = new(name, kind, number, local, node == "-" ? "" : node, at);
        return (int)kind >= 0;
    }

    private static uint Check(ReadOnlySpan<char> text)
    {
        var hash = 2166136261u;
        foreach (var letter in text)
            hash = (hash ^ letter) * 16777619;
        return hash;
    }
}
