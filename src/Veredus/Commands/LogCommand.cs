using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Veredus.CommandLine;
using Veredus.Control;
using Veredus.LogFiles;
using Veredus.Logging;
using Veredus.LogShipping;
using Veredus.Node.Logs;
using Veredus.Output;
using ScopeKinds = Veredus.Configuration.ScopeKinds;

namespace Veredus.Commands;

/// <summary>Logs: reading them on this host, and how the manager's gathering stands.</summary>
internal static class LogCommand
{
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(300);

    private static readonly Option<string?> ConfigFile = new("-c", "--config") { Description = "eccluster.conf of a manager or veredus.conf of a node; says where the files are", HelpName = "FILE" };
    private static readonly Option<string?> Node = new("--node") { Description = "Only this node's", HelpName = "NAME" };
    private static readonly Option<string?> Log = new("--log") { Description = "Only this log: mainlog, bouncelog, rejectlog ...", HelpName = "NAME" };
    private static readonly Option<string?> Type = new("--type") { Description = "Only records of these types: R, D, T, P, X ... (the fifth field)", HelpName = "LETTERS" };
    private static readonly Option<string?> Domain = new("--domain") { Description = "Only records that have this domain in a field", HelpName = "DOMAIN" };
    private static readonly Option<int> Lines = new("--lines", "-n") { Description = "Lines to begin with", HelpName = "N", DefaultValueFactory = _ => 10 };
    private static readonly Option<bool> NoFollow = new("--no-follow") { Description = "Only the lines that are there" };
    private static readonly Option<bool> IgnoreCase = new("--ignore-case", "-i") { Description = "Upper and lower case are the same" };
    private static readonly Argument<string> Pattern = new("PATTERN") { Description = "A regular expression" };

    public static Command Build(CliHost host) => new("log", "Logs on this host, and the state of their gathering")
    {
        CommandTree.Leaf(host, "tail", "Shows what is logged, as it comes", ["veredus log tail --type T --domain example.net", "veredus log tail --node mta02 --log mainlog -n 50 --no-follow"],
            TailAsync, ConfigFile, Node, Log, Type, Domain, Lines, NoFollow),
        CommandTree.Leaf(host, "grep", "Searches all files; exit 1 when nothing is found", ["veredus log grep 'user@example\\.net'", "veredus log grep 7A/10-04411 --log mainlog --json"],
            GrepAsync, Pattern, ConfigFile, Node, Log, Type, Domain, IgnoreCase),
        CommandTree.Leaf(host, "collection", "How far each node's logs are at the manager", ["veredus log collection", "veredus log collection --json"], CollectionAsync, GlobalOptions.NoHeader),
        CommandTree.Leaf(host, "subscribers", "Everybody who reads the nodes' journals, and what waits for whom", ["veredus log subscribers"], SubscribersAsync, GlobalOptions.NoHeader),
    };

    private static async Task<int> TailAsync(Call call, CancellationToken cancellationToken)
    {
        var follower = new LogFollower(Places(call), call.Parse.GetValue(Node), call.Parse.GetValue(Log));
        var filter = Filter(call);
        foreach (var (file, line) in follower.Last(filter is null ? call.Parse.GetValue(Lines) : int.MaxValue).Where(entry => filter?.Invoke(entry.Line) != false).TakeLast(call.Parse.GetValue(Lines)))
            Print(call, file, line);
        while (!call.Parse.GetValue(NoFollow))
        {
            foreach (var (file, line) in follower.More())
            {
                if (filter?.Invoke(line) != false)
                    Print(call, file, line);
            }
            await call.Host.Out.FlushAsync(cancellationToken);
            await Task.Delay(LookAgain, call.Host.Time, cancellationToken);
        }
        return ExitCodes.Done;
    }

    private static Task<int> GrepAsync(Call call, CancellationToken cancellationToken)
    {
        var (pattern, filter, found) = (Expression(call), Filter(call), 0);
        foreach (var file in Places(call).Find(call.Parse.GetValue(Node), call.Parse.GetValue(Log)))
        {
            foreach (var line in File.ReadLines(file.Path))
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (!pattern.IsMatch(line) || filter?.Invoke(line) == false)
                    continue;
                Print(call, file, line);
                found++;
            }
        }
        return Task.FromResult(found > 0 ? ExitCodes.Done : ExitCodes.Failed);
    }

    private static Regex Expression(Call call)
    {
        try
        {
            return new(call.Parse.GetValue(Pattern)!, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant | (call.Parse.GetValue(IgnoreCase) ? RegexOptions.IgnoreCase : 0));
        }
        catch (Exception wrong) when (wrong is ArgumentException or NotSupportedException)
        {
            throw new CliException(ExitCodes.Usage, wrong.Message);
        }
    }

    private static void Print(Call call, LogFile file, string line)
    {
        if (call.IsJson)
            call.Host.Out.WriteLine(LogJson.Serialize(new(file.Node, file.Log, line)));
        else
            call.Out.Line(file.Node.Length > 0 ? $"{file.Node} {line}" : line);
    }

    private static Func<string, bool>? Filter(Call call)
    {
        var (types, domain) = (call.Parse.GetValue(Type), call.Parse.GetValue(Domain));
        return types is null && domain is null ? null : line =>
        {
            var fields = line.Split('@');
            return (types is null || (fields.Length > 4 && fields[4].Length == 1 && types.Contains(fields[4], StringComparison.OrdinalIgnoreCase)))
                && (domain is null || fields.Contains(domain, StringComparer.OrdinalIgnoreCase));
        };
    }

    /// <summary>A manager's gathered files where there is an eccluster.conf, else the node's own.</summary>
    private static LogPlaces Places(Call call)
    {
        var loader = ConfigCommand.Loader(call.Host);
        if (call.Parse.GetValue(ConfigFile) is { } named && !File.Exists(named))
            throw new CliException(ExitCodes.NotFound, $"There is no configuration {named}.");
        if ((call.Parse.GetValue(ConfigFile) is { } given ? Path.GetFullPath(given) : loader.Locate("eccluster.conf") ?? loader.LocateNodeFile()) is not { } main)
            throw new CliException(ExitCodes.Usage, "No configuration says where the logs are.", "Name one with -c FILE: eccluster.conf of a manager, or veredus.conf of a node.");
        if (loader.Load(main).Snapshot is not { } configuration)
            throw new CliException(ExitCodes.Failed, $"The configuration {main} can't be used.", "veredus config validate --local says what is wrong.");
        if (configuration.Singleton(ScopeKinds.Logs) is not null)
        {
            var settings = LogCollectorSettings.FromConfiguration(configuration, Environment.MachineName, out var error) ?? throw new CliException(ExitCodes.Failed, error!);
            return LogPlaces.OfPattern(settings.Logfile.ToString(), settings.Logfile.BaseDirectory);
        }
        return LogPlaces.OfNode("", LogConfiguration.Loggers(configuration).SelectMany(logger => logger.Logs)
            .Where(log => !log.Destination.Contains("://", StringComparison.Ordinal)).Select(log => (log.Kind.Name(), log.Destination)).Distinct());
    }

    private static async Task<JsonDocument> AskAsync(Call call, CancellationToken cancellationToken)
    {
        if (call.Managers.Places.Count == 0)
            throw new CliException(ExitCodes.Unreachable, "No manager was found on this host.", $"Run it where the manager runs ({ControlEndpoint.ManagerPath}), or name one with --manager or --context.");
        var (client, _) = await call.ConnectToFirstAsync(call.Managers.Places, cancellationToken);
        await using var connection = client;
        return JsonDocument.Parse((await call.AskAsync(client, "json logs collection", cancellationToken)).Body);
    }

    private static async Task<int> CollectionAsync(Call call, CancellationToken cancellationToken)
    {
        using var answer = await AskAsync(call, cancellationToken);
        var (root, unreachable) = (answer.RootElement, answer.RootElement.GetProperty("unreachable").EnumerateArray().ToList());
        var exit = unreachable.Count > 0 ? ExitCodes.Partly : ExitCodes.Done;
        if (call.IsJson)
        {
            call.Json("veredus.log.collection/1", "", root.GetRawText());
            return exit;
        }
        var table = new Table(new("LOG"), new("NODE"), new("COLLECTED UNTIL"), new("BEHIND", true), new("WAITING", true), new("RATE", true), new("STATE"), new("SUBSCRIBERS"));
        foreach (var log in root.GetProperty("logs").EnumerateArray())
        {
            table.Add(Text(log, "log"), Text(log, "node"), Text(log, "collectedUntil") is { Length: > 0 } until ? DateTimeOffset.Parse(until, CultureInfo.InvariantCulture).UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture) : "",
                $"{log.GetProperty("behindSeconds").GetDouble():0} s", Human.Size(log.GetProperty("waitingBytes").GetInt64()), $"{Human.Size((long)log.GetProperty("bytesPerSecond").GetDouble())}/s", Text(log, "state"),
                string.Join(' ', log.GetProperty("subscribers").EnumerateArray().Select(reader => Named(reader, Text(log, "subscriber")))));
        }
        if (table.Count == 0)
            call.Out.Line("no node publishes a log");
        else
            table.Print(call.Out, !call.Parse.GetValue(GlobalOptions.NoHeader));
        foreach (var log in root.GetProperty("logs").EnumerateArray().Where(log => Text(log, "error").Length > 0))
            call.Out.Line($"! {Text(log, "log")} of {Text(log, "node")}: {Text(log, "error")}", Tone.Bad);
        foreach (var (log, reader, since) in Late(call, root))
            call.Out.Line($"! {Text(reader, "name")} has not read {Text(log, "log")} on {Text(log, "node")} for {Human.Age(since)}; {Human.Size(reader.GetProperty("waitingBytes").GetInt64())} wait there", Tone.Warning);
        foreach (var node in unreachable)
            call.Out.Line($"! {Text(node, "node")}: {Text(node, "why")}", Tone.Bad);
        return exit;
    }

    private static async Task<int> SubscribersAsync(Call call, CancellationToken cancellationToken)
    {
        using var answer = await AskAsync(call, cancellationToken);
        if (call.IsJson)
        {
            call.Json("veredus.log.subscribers/1", "", answer.RootElement.GetRawText());
            return ExitCodes.Done;
        }
        var table = new Table(new("LOG"), new("NODE"), new("SUBSCRIBER"), new("CHECKPOINT"), new("WAITING", true), new("OLDEST", true));
        foreach (var log in answer.RootElement.GetProperty("logs").EnumerateArray())
        {
            foreach (var reader in log.GetProperty("subscribers").EnumerateArray())
                table.Add(Text(log, "log"), Text(log, "node"), Text(reader, "name"), Text(reader, "checkpoint"), Human.Size(reader.GetProperty("waitingBytes").GetInt64()), Age(call, reader) is { } age ? Human.Age(age) : "");
        }
        if (table.Count == 0)
            call.Out.Line("no node publishes a log");
        else
            table.Print(call.Out, !call.Parse.GetValue(GlobalOptions.NoHeader));
        return ExitCodes.Done;
    }

    /// <summary>Readers that have left much unread for long.</summary>
    private static IEnumerable<(JsonElement Log, JsonElement Reader, TimeSpan Since)> Late(Call call, JsonElement root) =>
        from log in root.GetProperty("logs").EnumerateArray()
        from reader in log.GetProperty("subscribers").EnumerateArray()
        let age = Age(call, reader)
        where age > TimeSpan.FromMinutes(10) || reader.GetProperty("waitingBytes").GetInt64() > 1L << 30
        select (log, reader, age ?? TimeSpan.Zero);

    private static TimeSpan? Age(Call call, JsonElement reader) => reader.TryGetProperty("oldestWaiting", out var oldest) ? call.Now - oldest.GetDateTimeOffset() : null;

    private static string Named(JsonElement reader, string own) =>
        Text(reader, "name") is var name && name != own && reader.GetProperty("waitingBytes").GetInt64() is > 1 << 20 and var waiting ? $"{name}(!{Human.Size(waiting)})" : name;

    private static string Text(JsonElement element, string name) => element.TryGetProperty(name, out var value) ? value.GetString() ?? "" : "";
}
