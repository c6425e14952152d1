using System.Globalization;

namespace Veredus.Demo;

/// <summary>How what was gathered of a log differs from what was written. Records are counted from 1, as they were written.</summary>
/// <param name="Written">How many records were written.</param>
/// <param name="Gathered">How many lines there are of them.</param>
/// <param name="Missing">Records that are not there.</param>
/// <param name="Doubled">Records that are there once more than written; one entry for each time too often.</param>
/// <param name="Misplaced">Records that stand behind a later one.</param>
/// <param name="Foreign">How many lines nobody wrote.</param>
internal sealed record LogFinding(int Written, int Gathered, IReadOnlyList<int> Missing, IReadOnlyList<int> Doubled, IReadOnlyList<int> Misplaced, int Foreign)
{
    private const int MostNumbers = 8;

    /// <summary>Each record is there once, in order, and nothing else.</summary>
    public bool IsWhole => Missing.Count + Doubled.Count + Misplaced.Count + Foreign == 0;

    /// <summary><c>2 MISSING (records 7 8), 1 TWICE (record 3)</c>; empty when it is whole.</summary>
    public override string ToString() => string.Join(", ", new[]
    {
        Words(Missing, "MISSING"), Words(Doubled, "TWICE"), Words(Misplaced, "OUT OF ORDER"),
        Foreign > 0 ? string.Create(CultureInfo.InvariantCulture, $"{Foreign} that nobody wrote") : "",
    }.Where(words => words.Length > 0));

    private static string Words(IReadOnlyList<int> numbers, string what) => numbers.Count == 0 ? "" : string.Create(CultureInfo.InvariantCulture,
        $"{numbers.Count} {what} (record{(numbers.Count > 1 ? "s" : "")} {string.Join(' ', numbers.Take(MostNumbers))}{(numbers.Count > MostNumbers ? " ..." : "")})");
}

/// <summary>Compares a log as it was written with what was gathered of it.</summary>
internal static class LogJudge
{
    /// <param name="written">Every record, in order; two may have the same text.</param>
    /// <param name="gathered">The lines that came, in order.</param>
    public static LogFinding Compare(IReadOnlyList<string> written, IReadOnlyList<string> gathered)
    {
        var numbers = new Dictionary<string, Queue<int>>(StringComparer.Ordinal);
        var last = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var number = 1; number <= written.Count; number++)
        {
            var text = written[number - 1];
            if (!numbers.TryGetValue(text, out var queue))
                numbers[text] = queue = new();
            queue.Enqueue(number);
            last[text] = number;
        }
        var (doubled, misplaced, foreign, highest) = (new List<int>(), new List<int>(), 0, 0);
        foreach (var line in gathered)
        {
            if (!numbers.TryGetValue(line, out var queue))
            {
                foreign++;
            }
            else if (!queue.TryDequeue(out var number))
            {
                doubled.Add(last[line]);
            }
            else
            {
                if (number < highest)
                    misplaced.Add(number);
                highest = Math.Max(highest, number);
            }
        }
        return new(written.Count, gathered.Count, [.. numbers.Values.SelectMany(left => left).Order()], doubled, misplaced, foreign);
    }
}
