using System.Diagnostics;
using System.Globalization;
using Veredus.Journal;

namespace Veredus.Bench.Logs;

/// <summary>
/// Kills node, manager and reader at random moments under load, and reads the manager's file and the reader's notes by number afterwards: no gap and no repeat.
/// </summary>
/// <param name="kills">How many SIGKILLs.</param>
/// <param name="seed">Of the order and the moments.</param>
/// <param name="say">Takes lines of progress.</param>
public sealed class KillRun(string directory, int kills, int seed, Action<string> say) : IDisposable
{
    /// <summary>So long nothing may move on the slowest machine; the end of a hang, not a measure.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    private static readonly string[] Names = ["node", "manager", "reader"];

    private readonly Dictionary<string, Process> _processes = [];
    private readonly Stage _stage = new(directory);
    private readonly TextWriter? _log = Environment.GetEnvironmentVariable("VEREDUS_KILL_LOG") is { } path ? TextWriter.Synchronized(new StreamWriter(path) { AutoFlush = true }) : null;
    private readonly Dictionary<string, string> _lastWords = [];
    private long _lastRead;

    /// <summary>Runs it all.</summary>
    /// <returns>What is wrong; empty when all is well.</returns>
    public async Task<IReadOnlyList<string>> RunAsync(CancellationToken cancellationToken)
    {
        _stage.MakeIdentities();
        JournalDirectory.Create(_stage.Journal, unitLimit: 64 << 10);
        foreach (var subscriber in (string[])["mgr1", "reader", "keeper"])
            JournalDirectory.AddSubscriber(_stage.Journal, subscriber);
        var random = new Random(seed);
        foreach (var name in Names)
            Start(name);
        var killed = Names.ToDictionary(name => name, _ => 0);
        for (var kill = 0; kill < kills; kill++)
        {
            // One of five while they start, the others in the middle of work, however slow the machine is.
            if (random.Next(5) > 0)
                await ProgressAsync(random.Next(1, 400), cancellationToken);
            await Task.Delay(random.Next(0, 100), cancellationToken);
            var name = Names[random.Next(Names.Length)];
            await KillAsync(name, cancellationToken);
            killed[name]++;
            Start(name);
            if (kill % 50 == 49)
                say(string.Create(CultureInfo.InvariantCulture, $"{kill + 1} kills, {(new FileInfo(_stage.Collected) is { Exists: true } file ? file.Length / 200 : 0)} lines at the manager"));
        }
        // The writer ends in good order, then everything that it wrote has to come.
        await EndAsync("node", cancellationToken);
        Start("node", "0");
        var last = LastNumber();
        await ArrivalAsync(last, cancellationToken);
        foreach (var name in Names)
            await EndAsync(name, cancellationToken);
        say(string.Create(CultureInfo.InvariantCulture, $"{kills} kills (node {killed["node"]}, manager {killed["manager"]}, reader {killed["reader"]}), {last} lines written"));
        return [.. CheckManager(last), .. CheckReader(last)];
    }

    public void Dispose()
    {
        foreach (var process in _processes.Values)
        {
            if (!process.HasExited)
                process.Kill();
            process.Dispose();
        }
    }

    private void Start(string name, string load = "4000")
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardInput = true, RedirectStandardError = true, ArgumentList = { typeof(KillRun).Assembly.Location } };
        foreach (var argument in (string[])[name, _stage.Directory, load])
            start.ArgumentList.Add(argument);
        var process = Process.Start(start)!;
        process.ErrorDataReceived += (_, line) => Hear(name, line.Data);
        process.BeginErrorReadLine();
        _processes[name] = process;
    }

    private async Task KillAsync(string name, CancellationToken cancellationToken)
    {
        _processes.Remove(name, out var process);
        using var ended = process!;
        process!.Kill();
        await process.WaitForExitAsync(cancellationToken);
    }

    private async Task EndAsync(string name, CancellationToken cancellationToken)
    {
        _processes.Remove(name, out var process);
        using var ended = process!;
        process!.StandardInput.Close();
        await process.WaitForExitAsync(cancellationToken);
    }

    private void Hear(string name, string? line)
    {
        if (string.IsNullOrEmpty(line))
            return;
        lock (_lastWords)
            _lastWords[name] = line;
        _log?.WriteLine($"{name}: {line}");
    }

    private long Collected => new FileInfo(_stage.Collected) is { Exists: true } file ? file.Length : 0;

    /// <summary>Waits until the manager's file has so many lines more.</summary>
    private Task ProgressAsync(int lines, CancellationToken cancellationToken)
    {
        var wanted = Collected + (lines * 200L);
        return UntilAsync(() => Collected >= wanted, "lines come to the manager", cancellationToken);
    }

    /// <summary>Waits as long as something moves.</summary>
    /// <exception cref="InvalidOperationException">Nothing has moved for long: the product hangs; with the last words of its processes.</exception>
    private async Task UntilAsync(Func<bool> isDone, string what, CancellationToken cancellationToken)
    {
        var (seen, since) = (-1L, Stopwatch.GetTimestamp());
        while (!isDone())
        {
            var notes = new FileInfo(Notes);
            var now = Collected + (notes.Exists ? notes.Length : 0);
            if (now != seen)
                (seen, since) = (now, Stopwatch.GetTimestamp());
            else if (Stopwatch.GetElapsedTime(since) > Patience)
                throw new InvalidOperationException($"no more {what} since {Patience.TotalMinutes:0} minutes; last words: {string.Join("; ", LastWords())}");
            await Task.Delay(5, cancellationToken);
        }
    }

    private List<string> LastWords()
    {
        lock (_lastWords)
            return [.. _lastWords.Select(words => $"{words.Key}: {words.Value}")];
    }

    private string Notes => Path.Join(_stage.Directory, "reader");

    private long LastNumber()
    {
        using var reader = JournalReader.Open(_stage.Journal, "keeper");
        using var batch = new RecordBatch();
        long last = 0;
        for (var at = reader.Position; reader.ReadAfter(at) is { Count: > 0 } interval; at = interval.Last)
        {
            reader.Read(interval.Last, 1, batch);
            last = Roles.NumberOf(batch[0]);
        }
        return last;
    }

    /// <summary>Waits for the file to grow to its length and for the reader's last note.</summary>
    private Task ArrivalAsync(long last, CancellationToken cancellationToken)
    {
        var end = string.Create(CultureInfo.InvariantCulture, $"acknowledged {last}\n");
        return UntilAsync(() => Collected >= last * 200 && File.Exists(Notes) && ReadNotes(Notes).EndsWith(end, StringComparison.Ordinal), "lines come to the manager and the reader", cancellationToken);
    }

    private IEnumerable<string> CheckManager(long last)
    {
        long expected = 1;
        foreach (var line in File.ReadLines(_stage.Collected))
        {
            if (!long.TryParse(line.AsSpan(0, Math.Min(12, line.Length)), NumberStyles.None, CultureInfo.InvariantCulture, out var number) || line.Length != 199)
                yield return $"the manager's file has a torn line: {line}";
            else if (number != expected)
                yield return string.Create(CultureInfo.InvariantCulture, $"the manager's file has {number} where {expected} belongs");
            expected = number + 1;
        }
        if (expected != last + 1)
            yield return string.Create(CultureInfo.InvariantCulture, $"the manager's file ends at {expected - 1}, {last} were written");
    }

    private IEnumerable<string> CheckReader(long last)
    {
        long acknowledged = 0;
        foreach (var note in ReadNotes(Path.Join(_stage.Directory, "reader")).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var words = note.Split(' ');
            if (words is ["read", var from, var to] && long.Parse(from, CultureInfo.InvariantCulture) is var first)
            {
                // Killed between the acknowledgement and its note, the reader goes on behind what it read last.
                if (first != acknowledged + 1 && first != _lastRead + 1)
                    yield return $"the reader got {note} after it had acknowledged {acknowledged}";
                _lastRead = long.Parse(to, CultureInfo.InvariantCulture);
            }
            else if (words is ["acknowledged", var number])
            {
                acknowledged = long.Parse(number, CultureInfo.InvariantCulture);
            }
            else
            {
                yield return $"the reader noted '{note}'";
            }
        }
        if (acknowledged != last)
            yield return $"the reader ended at {acknowledged}, {last} were written";
    }

    private static string ReadNotes(string path)
    {
        using var reader = new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        return reader.ReadToEnd();
    }
}
