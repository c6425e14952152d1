using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using Veredus.CommandLine;
using Veredus.Control;
using Veredus.Output;
using Veredus.Setup;

namespace Veredus.Commands;

/// <summary>Starts and stops the daemons of this host: by systemd where it runs, else by their pid files (cli.md 11).</summary>
internal static class ServiceCommand
{
    /// <param name="Unit">systemd's.</param>
    /// <param name="Run">The words that run it in the foreground.</param>
    /// <param name="PidFile">Where it writes its process id, unless its configuration says otherwise.</param>
    /// <param name="Socket">That answers when it is ready; <see langword="null"/>: it has none and writes no pid file, so this command does, and the process alone counts.</param>
    private sealed record Service(string Name, string Unit, string[] Run, string PidFile, string? Socket);

    private static readonly Service[] Services =
    [
        new("node", "veredus-node", ["node", "run"], "/run/veredus/veredus.pid", ControlEndpoint.DefaultPath),
        new("manager", "veredus-manager", ["manager", "run"], "/run/veredus/manager.pid", ControlEndpoint.ManagerPath),
        new("configd", "veredus-configd", ["configd", "run"], "/run/veredus/configd.pid", null),
    ];

    private const string RunDirectory = "/run/veredus";
    private const int LogLines = 20;

    private static readonly Argument<string> Name = new("NAME") { Description = "node, manager or configd" };
    private static readonly Option<string?> Config = new("-c", "--config") { Description = "Configuration file that it is started with", HelpName = "FILE" };
    private static readonly Option<string?> PidFile = new("--pidfile") { Description = "Its pid file, where the configuration names another than the usual one", HelpName = "FILE" };
    private static readonly Option<string> Timeout = new("--timeout") { Description = "Longest wait until it answers, or has ended; TRY in the environment sets the default, in seconds", HelpName = "TIME", DefaultValueFactory = _ => "" };

    public static Command Build(CliHost host)
    {
        Name.AcceptOnlyFromAmong([.. Services.Select(service => service.Name)]);
        return new("service", "Starts, stops and shows this host's daemons")
        {
            CommandTree.Leaf(host, "start", "Starts it; returns when it answers", ["veredus service start manager", "veredus service start node -c /etc/veredus/veredus.conf"],
                (call, stop) => RunAsync(call, StartAsync, stop), Name, Config, PidFile, Timeout),
            CommandTree.Leaf(host, "stop", "Stops it in good order; returns when it has ended", ["veredus service stop manager", "veredus service stop node --timeout 2m"],
                (call, stop) => RunAsync(call, StopAsync, stop), Name, Config, PidFile, Timeout),
            CommandTree.Leaf(host, "restart", "Stops and starts it", ["veredus service restart manager", "veredus service restart node"],
                (call, stop) => RunAsync(call, RestartAsync, stop), Name, Config, PidFile, Timeout),
            CommandTree.Leaf(host, "status", "Whether it runs and answers: exit 0, or 3 when it does not run", ["veredus service status manager", "veredus service status node --json"],
                (call, stop) => RunAsync(call, StatusAsync, stop), Name, Config, PidFile, Timeout),
            CommandTree.Leaf(host, "logs", "Its last lines", ["veredus service logs manager", "veredus service logs node"],
                (call, stop) => RunAsync(call, LogsAsync, stop), Name, Config, PidFile, Timeout),
        };
    }

    /// <param name="Place">Of the control socket: the one named by --manager or --socket, else the usual one.</param>
    private sealed record Target(Service Service, string PidFile, ControlEndpoint? Place, string? Config, TimeSpan Timeout)
    {
        /// <summary>systemd has it, unless another configuration or pid file is meant.</summary>
        public bool IsUnit => Systemd.IsHere && Config is null && PidFile == Service.PidFile
            && ((string[])["/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"]).Any(place => File.Exists($"{place}/{Service.Unit}.service"));

        /// <summary>What a daemon that was started without systemd says.</summary>
        public string Output => Path.ChangeExtension(PidFile, ".out");
    }

    private static Task<int> RunAsync(Call call, Func<Call, Target, CancellationToken, Task<int>> act, CancellationToken cancellationToken)
    {
        var service = Services.First(service => service.Name == call.Parse.GetValue(Name));
        var named = service.Name == "manager" ? call.Parse.GetValue(GlobalOptions.Manager) : service.Name == "node" ? call.Parse.GetValue(GlobalOptions.Socket) : null;
        if (service.Socket is null && call.Parse.GetValue(Config) is not null)
            throw new CliException(ExitCodes.Usage, $"{service.Name} has no configuration file.");
        var timeout = call.Parse.GetValue(Timeout) is { Length: > 0 } text ? Duration.Parse(text, "--timeout")
            : int.TryParse(call.Host.Environment("TRY"), NumberStyles.None, CultureInfo.InvariantCulture, out var tries) && tries > 0 ? TimeSpan.FromSeconds(tries) : TimeSpan.FromSeconds(60);
        var place = (named ?? service.Socket) is { } socket ? Call.EndpointOf(socket) : null;
        return act(call, new(service, call.Parse.GetValue(PidFile) ?? service.PidFile, place, call.Parse.GetValue(Config) is { } file ? Path.GetFullPath(file) : null, timeout), cancellationToken);
    }

    private static async Task<int> StartAsync(Call call, Target target, CancellationToken cancellationToken)
    {
        if (Find(target) is { } running)
        {
            call.Out.Line($"{target.Service.Name} runs already (process {running})");
            return ExitCodes.Done;
        }
        if (target.IsUnit)
            return await ByUnitAsync(call, target, "start", cancellationToken);
        var launched = Launch(target);
        var isInTime = await UntilAsync(call, target, async () => HasEnded(launched) || (Find(target) is not null && await AnswersAsync(target, cancellationToken)), cancellationToken);
        if (!isInTime || HasEnded(launched))
            throw await FailedAsync(target, isInTime ? "has ended" : "does not answer", cancellationToken);
        call.Out.Line($"{target.Service.Name} started (process {Find(target)})");
        return ExitCodes.Done;
    }

    private static async Task<int> StopAsync(Call call, Target target, CancellationToken cancellationToken)
    {
        if (target.IsUnit)
            return await ByUnitAsync(call, target, "stop", cancellationToken);
        if (Find(target) is not { } id)
        {
            call.Out.Line($"{target.Service.Name} does not run");
            return ExitCodes.Done;
        }
        Signal(id);
        if (!await UntilAsync(call, target, () => Task.FromResult(Find(target) is null), cancellationToken))
            throw new CliException(ExitCodes.Deadline, $"{target.Service.Name} (process {id}) has not ended after {Human.Age(target.Timeout)}; it was asked to, and may still do so.", $"Wait longer: --timeout. At once, losing what it was about to write: kill -9 {id}");
        call.Out.Line($"{target.Service.Name} stopped");
        return ExitCodes.Done;
    }

    private static async Task<int> RestartAsync(Call call, Target target, CancellationToken cancellationToken)
    {
        if (target.IsUnit)
            return await ByUnitAsync(call, target, "restart", cancellationToken);
        var stopped = await StopAsync(call, target, cancellationToken);
        return stopped == ExitCodes.Done ? await StartAsync(call, target, cancellationToken) : stopped;
    }

    private static async Task<int> StatusAsync(Call call, Target target, CancellationToken cancellationToken)
    {
        var id = Find(target);
        var answers = id is not null && await AnswersAsync(target, cancellationToken);
        if (call.IsJson)
            call.Json("veredus.service/1", "", $$"""{"service":"{{target.Service.Name}}","running":{{(id is null ? "false" : "true")}},"answers":{{(answers ? "true" : "false")}},"process":{{id?.ToString(CultureInfo.InvariantCulture) ?? "null"}}}""");
        else
            call.Out.Line(id is null ? $"{target.Service.Name} does not run" : answers ? $"{target.Service.Name} runs (process {id})" : $"{target.Service.Name} runs (process {id}) and does not answer at {target.Place}",
                answers ? Tone.Good : Tone.Warning);
        return id is null ? ExitCodes.NotFound : answers ? ExitCodes.Done : ExitCodes.Failed;
    }

    private static async Task<int> LogsAsync(Call call, Target target, CancellationToken cancellationToken)
    {
        var lines = await LastLinesAsync(target, cancellationToken);
        if (lines.Count == 0)
            throw new CliException(ExitCodes.NotFound, $"There is no output of {target.Service.Name}: it was not started by systemd, and there is no {target.Output}.", "Its paniclog has what it reported: see ec_logger in its configuration.");
        foreach (var line in lines)
            call.Out.Line(line);
        return ExitCodes.Done;
    }

    private static async Task<int> ByUnitAsync(Call call, Target target, string verb, CancellationToken cancellationToken)
    {
        var (exitCode, said) = await Systemd.RunAsync("systemctl", [verb, target.Service.Unit], cancellationToken);
        if (exitCode != 0)
            throw await FailedAsync(target, $"systemctl {verb}: {said}", cancellationToken);
        if (verb != "stop" && !await UntilAsync(call, target, () => AnswersAsync(target, cancellationToken), cancellationToken))
            throw await FailedAsync(target, "does not answer", cancellationToken);
        call.Out.Line($"{target.Service.Name} {(verb == "stop" ? "stopped" : "started")}");
        return ExitCodes.Done;
    }

    private static async Task<CliException> FailedAsync(Target target, string what, CancellationToken cancellationToken) => new(ExitCodes.Failed,
        string.Join('\n', [$"{target.Service.Name}: {what}{(target.Place is null || what != "does not answer" ? "" : $" at {target.Place} after {Human.Age(target.Timeout)}")}; its last lines:", .. (await LastLinesAsync(target, cancellationToken)).DefaultIfEmpty("(none)")]),
        $"In the foreground it says the same at once: veredus {string.Join(' ', target.Service.Run)}{(target.Config is null ? "" : $" -c {target.Config}")}");

    private static async Task<IReadOnlyList<string>> LastLinesAsync(Target target, CancellationToken cancellationToken)
    {
        if (target.IsUnit)
            return (await Systemd.RunAsync("journalctl", ["-u", target.Service.Unit, "-n", LogLines.ToString(CultureInfo.InvariantCulture), "--no-pager"], cancellationToken)).Said.Split('\n');
        return File.Exists(target.Output) ? [.. File.ReadLines(target.Output).TakeLast(LogLines)] : [];
    }

    /// <summary>Starts a process that outlives this one, with its output in a file; setsid(1) takes it out of the terminal's session.</summary>
    private static int Launch(Target target)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(target.Output)!);
            File.WriteAllText(target.Output, "");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CliException(ExitCodes.Failed, $"{target.Service.Name} can't be started: {exception.Message}", $"As root, or as the user that owns {RunDirectory}.");
        }
        var program = Environment.ProcessPath!;
        string[] words = [.. Path.GetFileNameWithoutExtension(program) is "dotnet" ? [program, Environment.GetCommandLineArgs()[0]] : (string[])[program], .. target.Service.Run, .. target.Config is { } file ? (string[])["-c", file] : []];
        // The shell is gone at once; the daemon it leaves is nobody's child but init's.
        var start = new ProcessStartInfo("/bin/sh", ["-c", "out=$1; shift; setsid \"$@\" </dev/null >>\"$out\" 2>&1 & echo $!", "sh", target.Output, .. words]) { RedirectStandardOutput = true };
        using var shell = Process.Start(start)!;
        var said = shell.StandardOutput.ReadToEnd();
        shell.WaitForExit();
        var id = int.Parse(said, NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture);
        if (target.Service.Socket is null)
            File.WriteAllText(target.PidFile, string.Create(CultureInfo.InvariantCulture, $"{id}\n"));
        return id;
    }

    /// <summary>The process that the pid file names, if it lives and is this program: a number may have gone to somebody else.</summary>
    private static int? Find(Target target)
    {
        try
        {
            return int.TryParse(File.ReadAllText(target.PidFile).Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var id)
                && IsOurs(File.ReadAllText($"/proc/{id}/cmdline").Split('\0'), target.Service) && !HasEnded(id) ? id : null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static bool IsOurs(string[] words, Service service) =>
        Array.IndexOf(words, service.Run[0]) is > 0 and var at ? words.ElementAtOrDefault(at + 1) == service.Run[1]
        : Personality.Links.Any(link => link.Value.SequenceEqual(service.Run) && Path.GetFileName(words[0]) == link.Key);

    /// <summary>Whether a process is no more, or only its entry is.</summary>
    private static bool HasEnded(int id)
    {
        try
        {
            var status = File.ReadAllText($"/proc/{id}/stat");
            return status[(status.LastIndexOf(')') + 2)..].StartsWith('Z');
        }
        catch (IOException)
        {
            return true;
        }
    }

    private static void Signal(int id)
    {
        using var kill = Process.Start("kill", ["-TERM", id.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
        if (kill.ExitCode != 0)
            throw new CliException(ExitCodes.NotAllowed, $"Process {id} can't be told to stop.", "As root, or as the user that it runs as.");
    }

    private static async Task<bool> AnswersAsync(Target target, CancellationToken cancellationToken)
    {
        if (target.Place is null)
            return Find(target) is not null;
        try
        {
            await using var client = await ControlClient.ConnectAsync(target.Place, new() { ConnectTimeout = TimeSpan.FromSeconds(2) }, cancellationToken);
            return true;
        }
        catch (ControlException exception)
        {
            // It answers; that it wants to know who asks is an answer as well.
            return exception.Code is ControlErrors.AuthenticationNeeded or ControlErrors.NotAuthorized;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static async Task<bool> UntilAsync(Call call, Target target, Func<Task<bool>> condition, CancellationToken cancellationToken)
    {
        var began = call.Host.Time.GetTimestamp();
        while (!await condition())
        {
            if (call.Host.Time.GetElapsedTime(began) >= target.Timeout)
                return false;
            await Task.Delay(TimeSpan.FromMilliseconds(100), call.Host.Time, cancellationToken);
        }
        return true;
    }
}
