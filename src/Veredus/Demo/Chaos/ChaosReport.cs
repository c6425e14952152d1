using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Veredus.CommandLine;
using Veredus.Output;

namespace Veredus.Demo;

/// <summary>Everything about one run of <c>chaos</c>: enough to judge it, to print it again and to repeat it.</summary>
/// <param name="Seed">With the build, it repeats the run.</param>
internal sealed record ChaosResult(
    ulong Seed, string Build, string Demo, string Isolation, ChaosBounds Bounds, int Rate, IReadOnlyList<ChaosFault> Schedule, DateTimeOffset Started,
    IReadOnlyList<TimelineEntry> Timeline, IReadOnlyList<Invariant> Invariants, MailCount Mail, IReadOnlyList<int> Twice, int Moves, int Faults, bool Passed);

/// <summary>Prints, writes and reads the report of a run.</summary>
internal static class ChaosReport
{
    public const string Schema = "veredus.chaos/1";
    private const string JsonFile = "report.json", TextFile = "report.txt";

    public static void Print(Call call, ChaosResult result, string directory)
    {
        if (call.IsJson)
        {
            call.Json(Schema, "", JsonSerializer.Serialize(result, ChaosJson.Default.ChaosResult));
            return;
        }
        foreach (var invariant in result.Invariants)
        {
            call.Out.Write($"  {invariant.Number} {invariant.Name,-24}");
            call.Out.Write($"{Word(invariant),-4}", invariant.Holds switch { true => Tone.Good, false => Tone.Bad, _ => Tone.Dim });
            call.Out.Line($" ({invariant.Found})");
        }
        call.Out.Line(Verdict(result, directory), result.Passed ? Tone.Good : Tone.Bad);
    }

    /// <summary>The begin of a run, in words.</summary>
    public static string Head(ulong seed, string build, ChaosBounds bounds, int rate) =>
        $"seed {seed}   build {build}   faults: {string.Join(' ', bounds.Kinds.Select(kind => kind.ToString().ToLowerInvariant()))}   load {rate}/s";

    /// <summary><c>  00:41 kill   mta02</c>.</summary>
    public static string Line(TimelineEntry entry, DateTimeOffset started) => $"  {Max(entry.At - started, TimeSpan.Zero).ToString(@"mm\:ss", CultureInfo.InvariantCulture)} {entry.Text}";

    /// <summary>Writes report.json, report.txt, what nodes and managers said, and what the managers gathered.</summary>
    public static void Write(ChaosResult result, string directory, DemoCluster cluster)
    {
        Directory.CreateDirectory(directory);
        File.WriteAllText(Path.Combine(directory, JsonFile), JsonSerializer.Serialize(result, ChaosJson.Default.ChaosResult) + "\n");
        File.WriteAllLines(Path.Combine(directory, TextFile),
        [
            Head(result.Seed, result.Build, result.Bounds, result.Rate),
            .. result.Timeline.Select(entry => Line(entry, result.Started)),
            .. result.Invariants.Select(invariant => $"  {invariant.Number} {invariant.Name,-24}{Word(invariant),-4} ({invariant.Found})"),
            Verdict(result, directory),
        ]);
        foreach (var host in cluster.Hosts)
            Keep(host.Directory, Path.Combine(directory, host.Name), file => file.EndsWith(".ec", StringComparison.Ordinal) || file.EndsWith(".conf", StringComparison.Ordinal));
        foreach (var manager in cluster.Managers)
        {
            Keep(manager.Directory, Path.Combine(directory, manager.Name), file => file.EndsWith(".ec", StringComparison.Ordinal) || file.EndsWith(".conf", StringComparison.Ordinal));
            Keep(manager.GatheredMainlogs, Path.Combine(directory, manager.Name, "mainlog"), _ => true);
        }
    }

    private static void Keep(string from, string to, Func<string, bool> isWanted)
    {
        Directory.CreateDirectory(to);
        if (!Directory.Exists(from))
            return;
        foreach (var file in Directory.EnumerateFiles(from).Where(isWanted))
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)), overwrite: true);
    }

    /// <exception cref="CliException">There is no report, or it can't be read.</exception>
    public static ChaosResult Read(string directory)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllText(Path.Combine(directory, JsonFile)), ChaosJson.Default.ChaosResult) ?? throw new JsonException("it is empty");
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new CliException(ExitCodes.NotFound, $"{directory} has no {JsonFile}.", "Give the directory that 'veredus chaos run' named at its end.");
        }
        catch (Exception e) when (e is IOException or JsonException or UnauthorizedAccessException)
        {
            throw new CliException(ExitCodes.Failed, $"{Path.Combine(directory, JsonFile)} can't be read: {e.Message}");
        }
    }

    private static string Verdict(ChaosResult result, string directory) =>
        $"{(result.Passed ? "PASS" : $"FAIL  invariant {string.Join(", ", result.Invariants.Where(invariant => invariant.Holds == false).Select(invariant => invariant.Number))}")}  {result.Moves} moves, {result.Faults} faults"
        + (directory.Length > 0 ? $"      report: {directory}" : "");

    private static string Word(Invariant invariant) => invariant.Holds switch { true => "ok", false => "x", _ => "-" };

    private static TimeSpan Max(TimeSpan one, TimeSpan other) => one > other ? one : other;
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(ChaosResult))]
internal sealed partial class ChaosJson : JsonSerializerContext;
