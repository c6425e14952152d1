using System.CommandLine;
using System.Globalization;
using Veredus.CommandLine;
using Veredus.Journal;
using Veredus.Journals;
using Veredus.Output;

namespace Veredus.Commands;

/// <summary>Journals on this host: <c>veredus journal</c>, and <c>jlogctl</c> in the classic form.</summary>
internal static class JournalCommand
{
    private static readonly Argument<string> Journal = new("JOURNAL") { Description = "Directory of the journal" };
    private static readonly Argument<string> Subscriber = new("SUBSCRIBER") { Description = "Name of the subscriber" };
    private static readonly Argument<string> Root = new("DIR") { Description = "Where to look for journals", DefaultValueFactory = _ => "/var/log/veredus" };
    private static readonly Option<bool> AtEnd = new("--at-end") { Description = "Begin behind the last record instead of at the first that is still there" };
    private static readonly Argument<string[]> Words = new("WORDS") { Description = "As in jlogctl's manual", Arity = ArgumentArity.ZeroOrMore };

    public static Command Build(CliHost host)
    {
        var command = new Command("journal", "Journals (jlog): durable logs with subscribers")
        {
            CommandTree.Leaf(host, "list", "Journals in a directory", ["veredus journal list", "veredus journal list /san/mta1/log --json"], ListAsync, Root, GlobalOptions.NoHeader),
            CommandTree.Leaf(host, "info", "Settings and segments of a journal", ["veredus journal info /var/log/veredus/mainlog.cluster"], InfoAsync, Journal),
            CommandTree.Leaf(host, "readers", "Subscribers: how far each is and what waits for it", ["veredus journal readers /var/log/veredus/mainlog.cluster"], ReadersAsync, Journal, GlobalOptions.NoHeader),
            CommandTree.Leaf(host, "add", "Adds a subscriber", ["veredus journal add /var/log/veredus/mainlog.cluster mgr2", "veredus journal add /var/log/veredus/mainlog.cluster probe --at-end"], AddAsync, Journal, Subscriber, AtEnd),
            CommandTree.Leaf(host, "remove", "Removes a subscriber; what only it needed goes with 'clean'", ["veredus journal remove /var/log/veredus/mainlog.cluster mgr2"], RemoveAsync, Journal, Subscriber, GlobalOptions.Yes),
            CommandTree.Leaf(host, "clean", "Deletes segments that every subscriber has passed", ["veredus journal clean /var/log/veredus/mainlog.cluster"], CleanAsync, Journal),
            CommandTree.Leaf(host, "check", "Looks for damage; changes nothing", ["veredus journal check /var/log/veredus/mainlog.cluster"], (call, _) => RepairAsync(call, dryRun: true), Journal),
            CommandTree.Leaf(host, "repair", "Mends a journal that no process has open; what is cut out is kept beside it", ["veredus journal repair /var/log/veredus/mainlog.cluster"], (call, _) => RepairAsync(call, dryRun: false), Journal),
        };
        command.Subcommands[0].Aliases.Add("ls");
        return command;
    }

    public static Command BuildClassic(CliHost host) => CommandTree.Leaf(host, "jlogctl", "Journals in the classic form", ["veredus jlogctl -- -s /var/log/veredus/mainlog.cluster"],
            (call, _) => Task.FromResult(new JlogCtl(call.Host.Out, call.Host.Error).Run(call.Parse.GetValue(Words) ?? [])), Words);

    private static Task<int> ListAsync(Call call, CancellationToken cancellationToken) => Do(call, Root, root =>
    {
        if (!Directory.Exists(root))
            throw new CliException(ExitCodes.NotFound, $"There is no directory '{root}'.");
        var journals = Directory.EnumerateDirectories(root).Where(directory => File.Exists(Path.Join(directory, "metastore"))).Order(StringComparer.Ordinal).ToList();
        var rows = journals.Select(Row).ToList();
        if (call.IsJson)
        {
            call.Json("veredus.journal.list/1", "", JournalJson.Serialize(rows));
            return ExitCodes.Done;
        }
        var table = new Table(new("JOURNAL"), new("SIZE", true), new("SUBSCRIBERS"), new("WAITING", true), new("STATE"));
        foreach (var row in rows)
            table.Add(row.Journal, Human.Count(row.Bytes), string.Join(' ', row.Readers.Select(reader => reader.Name)), Human.Count(row.Readers.Select(reader => reader.WaitingBytes).DefaultIfEmpty().Max()), row.Error ?? "ok");
        if (rows.Count == 0)
            call.Out.Line($"no journal in {root}");
        else
            table.Print(call.Out, !call.Parse.GetValue(GlobalOptions.NoHeader));
        return ExitCodes.Done;
    });

    private static JournalRow Row(string directory)
    {
        var bytes = JournalDirectory.Size(directory);
        try
        {
            return new(directory, bytes, Readers(directory), null);
        }
        catch (JournalException damaged)
        {
            return new(directory, bytes, [], damaged.Message);
        }
    }

    private static Task<int> InfoAsync(Call call, CancellationToken cancellationToken) => Do(call, Journal, path =>
    {
        var (settings, segments) = (JournalDirectory.Settings(path), JournalDirectory.Segments(path));
        if (call.IsJson)
        {
            call.Json("veredus.journal.info/1", "", JournalJson.Serialize(new JournalInfo(path, settings.UnitLimit, settings.Safety.ToString().ToLowerInvariant(), settings.IsCompressed, JournalDirectory.Size(path),
                [.. segments.Select(segment => new SegmentRow(segment.Number.ToString("x8", CultureInfo.InvariantCulture), segment.Bytes, segment.PendingReaders, segment.IndexedRecords < 0 ? null : segment.IndexedRecords, segment.Number < settings.ActiveSegment))])));
            return ExitCodes.Done;
        }
        call.Out.Line($"{path}   segments of {Human.Count(settings.UnitLimit)} octets   safety {settings.Safety.ToString().ToLowerInvariant()}   {(settings.IsCompressed ? "compressed" : "not compressed")}");
        var table = new Table(new("SEGMENT"), new("SIZE", true), new("PENDING READERS", true), new("RECORDS", true), new("STATE"));
        foreach (var segment in segments)
        {
            table.Add(segment.Number.ToString("x8", CultureInfo.InvariantCulture), Human.Count(segment.Bytes), Human.Count(segment.PendingReaders),
                segment.IndexedRecords < 0 ? "not read yet" : Human.Count(segment.IndexedRecords), segment.Number < settings.ActiveSegment ? "finished" : "active");
        }
        table.Print(call.Out, header: true);
        return ExitCodes.Done;
    });

    private static Task<int> ReadersAsync(Call call, CancellationToken cancellationToken) => Do(call, Journal, path =>
    {
        var readers = Readers(path);
        if (call.IsJson)
        {
            call.Json("veredus.journal.readers/1", "", JournalJson.Serialize(readers));
            return ExitCodes.Done;
        }
        var table = new Table(new("SUBSCRIBER"), new("CHECKPOINT"), new("WAITING", true), new("OLDEST", true));
        foreach (var reader in readers)
            table.Add(reader.Name, reader.Checkpoint ?? "damaged", Human.Count(reader.WaitingBytes), reader.OldestWaiting is { } oldest ? Human.Age(call.Now - oldest) : "");
        if (readers.Count == 0)
            call.Out.Line("no subscriber: what is written here is kept for nobody, and nothing is ever deleted");
        else
            table.Print(call.Out, !call.Parse.GetValue(GlobalOptions.NoHeader));
        return ExitCodes.Done;
    });

    private static List<ReaderRow> Readers(string path) =>
    [
        .. JournalBacklog.Read(path).Select(entry => new ReaderRow(entry.Subscriber, entry.Position?.ToString(), entry.Bytes,
            entry.OldestUnixMicroseconds is { } oldest ? DateTimeOffset.FromUnixTimeMilliseconds(oldest / 1000) : null)),
    ];

    private static Task<int> AddAsync(Call call, CancellationToken cancellationToken) => Do(call, Journal, path =>
    {
        var name = call.Parse.GetValue(Subscriber)!;
        var id = JournalDirectory.AddSubscriber(path, name, call.Parse.GetValue(AtEnd));
        return Done(call, "veredus.journal.add/1", $"{name} added at {id}");
    });

    private static Task<int> RemoveAsync(Call call, CancellationToken cancellationToken) => DoAsync(call, Journal, async path =>
    {
        var name = call.Parse.GetValue(Subscriber)!;
        if (JournalBacklog.Read(path).FirstOrDefault(entry => entry.Subscriber == name) is not { Subscriber: not null } entry)
            throw new CliException(ExitCodes.NotFound, $"'{path}' has no subscriber '{name}'.", $"veredus journal readers {path}");
        if (entry.Bytes > 0)
            await call.ConfirmAsync($"{Human.Count(entry.Bytes)} octets wait for {name} and will never reach it. Remove it?", call.Parse.GetValue(GlobalOptions.Yes), cancellationToken);
        JournalDirectory.RemoveSubscriber(path, name);
        return Done(call, "veredus.journal.remove/1", $"{name} removed");
    });

    private static Task<int> CleanAsync(Call call, CancellationToken cancellationToken) => Do(call, Journal, path =>
    {
        var (before, removed) = (JournalDirectory.Size(path), JournalDirectory.Clean(path));
        return Done(call, "veredus.journal.clean/1", $"{removed} segments deleted, {Human.Count(Math.Max(0, before - JournalDirectory.Size(path)))} octets");
    });

    private static Task<int> RepairAsync(Call call, bool dryRun) => Do(call, Journal, path =>
    {
        if (!dryRun)
            JournalUse.RefuseIfInUse(path);
        var report = JournalDirectory.Repair(path, dryRun);
        var damage = report.Damage.Select(entry => new DamageRow(entry.Key.ToString("x8", CultureInfo.InvariantCulture), [.. entry.Value.Select(range => new[] { range.Start, range.End })])).ToList();
        var exit = dryRun && !report.IsClean ? ExitCodes.Failed : ExitCodes.Done;
        if (call.IsJson)
        {
            call.Json($"veredus.journal.{(dryRun ? "check" : "repair")}/1", "", JournalJson.Serialize(new RepairData(report.IsClean, report.MetastoreRewritten, damage,
                [.. report.Checkpoints.Select(entry => new CheckpointRow(entry.Subscriber, entry.Old?.ToString(), entry.New.ToString()))])));
            return exit;
        }
        if (report.IsClean)
            call.Out.Line("ok");
        if (report.MetastoreRewritten)
            call.Out.Line(dryRun ? "metastore is damaged" : "metastore rewritten", Tone.Warning);
        foreach (var row in damage)
        {
            foreach (var range in row.Ranges)
                call.Out.Line($"segment {row.Segment}: octets {range[0]} to {range[1]} hold no record{(dryRun ? "" : "; taken out, kept beside the journal")}", Tone.Warning);
        }
        foreach (var (name, old, now) in report.Checkpoints)
            call.Out.Line($"checkpoint of {name}: {old?.ToString() ?? "damaged"} {(dryRun ? "would become" : "became")} {now}", Tone.Warning);
        if (exit != ExitCodes.Done)
            call.Error.Line($"   Mend it while nothing has it open: veredus journal repair {path}");
        return exit;
    });

    private static int Done(Call call, string schema, string text)
    {
        if (call.IsJson)
            call.Json(schema, "", JournalJson.Serialize(new DoneData(text)));
        else
            call.Out.Line(text);
        return ExitCodes.Done;
    }

    private static Task<int> Do(Call call, Argument<string> argument, Func<string, int> deed) => DoAsync(call, argument, path => Task.FromResult(deed(path)));

    private static async Task<int> DoAsync(Call call, Argument<string> argument, Func<string, Task<int>> deed)
    {
        try
        {
            return await deed(call.Parse.GetValue(argument)!);
        }
        catch (JournalException failure)
        {
            throw new CliException(failure.Error is JournalError.Open or JournalError.InvalidSubscriber ? ExitCodes.NotFound : failure.Error is JournalError.SubscriberExists ? ExitCodes.Conflict : ExitCodes.Failed, failure.Message);
        }
        catch (DirectoryNotFoundException)
        {
            throw new CliException(ExitCodes.NotFound, $"There is no journal '{call.Parse.GetValue(argument)}'.", "veredus journal list shows those of this host.");
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new CliException(ExitCodes.Failed, failure.Message);
        }
    }
}
