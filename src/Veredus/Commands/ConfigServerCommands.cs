using System.CommandLine;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Veredus.Cluster;
using Veredus.CommandLine;
using Veredus.ConfigServer;
using Veredus.Control;
using Veredus.Output;
using Veredus.Terminal;

namespace Veredus.Commands;

/// <summary>The configuration server and its client: <c>veredus configd</c>, <c>eccfg</c>.</summary>
internal static class ConfigServerCommands
{
    private static readonly Option<string> DirectoryOption = new("--directory") { Description = "Holds repositories, users, key and certificate", HelpName = "DIR", DefaultValueFactory = _ => ConfigServerOptions.DefaultDirectory };
    private static readonly Option<string?> Node = new("--node") { Description = "This server's node name (default: the short host name)", HelpName = "NAME" };
    private static readonly Option<string?> HostName = new("--host") { Description = "Name or address that clients and other servers reach this host by (default: the host name)", HelpName = "NAME" };
    private static readonly Option<int> Port = new("--port") { Description = "HTTPS port", HelpName = "N", DefaultValueFactory = _ => ConfigServerOptions.DefaultPort };
    private static readonly Option<bool> Alone = new("--single-node") { Description = "No bus: the only server" };
    private static readonly Option<string?> Majority = new("--require-majority") { Description = "auto, true or false: commits only on the side that has most of the servers", HelpName = "WHEN", DefaultValueFactory = _ => "auto" };
    private static readonly Argument<string> User = new("NAME") { Description = "The user" };
    private static readonly Option<string[]> Writes = new("--writes") { Description = "A repository that the user may write, or * (may be given several times)", HelpName = "REPOSITORY" };
    private static readonly Option<bool> PasswordStdin = new("--password-stdin") { Description = "The password is the first line of standard input" };
    private static readonly Argument<string> Other = new("HOST[:PORT]") { Description = "A server that is in the cluster" };
    private static readonly Option<string> UserName = new("--username") { Description = "A user who may write everything", HelpName = "NAME", DefaultValueFactory = _ => "admin" };
    private static readonly Option<string?> Fingerprint = new("--fingerprint") { Description = "The key that the server must show; it says its own at start", HelpName = "SHA256:..." };
    private static readonly Argument<string[]> Words = new("WORDS") { Description = "As in eccfg's manual; 'veredus eccfg --help' lists them", Arity = ArgumentArity.ZeroOrMore };

    public static Command BuildServer(CliHost host)
    {
        Majority.AcceptOnlyFromAmong("auto", "true", "false");
        return new("configd", "The configuration server (ecconfigd)")
        {
            CommandTree.Leaf(host, "run", "Serves the configuration's repositories, in the foreground",
                ["veredus configd run", "veredus configd run --single-node --port 2027"], RunAsync, DirectoryOption, Node, HostName, Port, Alone, Majority),
            CommandTree.Leaf(host, "user", "Adds a user or sets a new password",
                ["veredus configd user admin --writes '*'", "echo secret | veredus configd user ana --writes default --password-stdin"], UserAsync, DirectoryOption, Writes, PasswordStdin, User),
            CommandTree.Leaf(host, "join", "Gets users and service password from a server of the cluster, before the first start of this one",
                ["veredus configd join mgr1", "echo secret | veredus configd join mgr1:2027 --username admin --password-stdin --fingerprint SHA256:..."], JoinAsync, DirectoryOption, UserName, PasswordStdin, Fingerprint, Other),
        };
    }

    public static Command BuildClient(CliHost host) => CommandTree.Leaf(host, "eccfg", "The working copy and the subclusters, in the classic form",
        ["veredus eccfg bootstrap --singlenode", "veredus eccfg pull", "veredus eccfg commit --add-all -m 'new pool'", "veredus eccfg subcluster status"], ClientAsync, Words);

    private static async Task<int> RunAsync(Call call, CancellationToken cancellationToken)
    {
        using var terminated = new CancellationTokenSource();
        using var signal = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context =>
        {
            context.Cancel = true;
            terminated.Cancel();
        });
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(terminated.Token, cancellationToken);
        var directory = call.Parse.GetValue(DirectoryOption)!;
        using var systemd = Veredus.Node.Hosting.SystemdNotifier.FromEnvironment();
        try
        {
            await using var server = await ConfigServerHost.StartAsync(new()
            {
                NodeName = call.Parse.GetValue(Node) ?? call.Host.Environment("EC_NODE_NAME") ?? Environment.MachineName.Split('.')[0].ToLowerInvariant(),
                HostName = call.Parse.GetValue(HostName) ?? Environment.MachineName,
                Directory = directory,
                Port = call.Parse.GetValue(Port),
                Bus = call.Parse.GetValue(Alone) ? null : new CorosyncBus(new CorosyncBusSettings(ConfigServerHost.Group)),
                NodeBus = call.Parse.GetValue(Alone) ? null : new CorosyncBus(new CorosyncBusSettings(ConfigServerHost.NodeGroup)),
                ServicePassword = ServicePassword(directory),
                RequireMajority = call.Parse.GetValue(Majority) switch { "true" => true, "false" => false, _ => null },
                Time = call.Host.Time,
                Log = text => call.Error.Line(text),
            }, stop.Token);
            call.Error.Line($"ready on port {server.Port}, key {KnownServers.Fingerprint(System.Security.Cryptography.X509Certificates.X509Certificate2.CreateFromPem(server.CertificatePem))}");
            systemd.Ready($"Serving on port {server.Port}");
            await Task.Delay(Timeout.Infinite, stop.Token).ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            systemd.Stopping();
            return ExitCodes.Done;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or EccfgException or GitException or DllNotFoundException)
        {
            throw new CliException(ExitCodes.Failed, $"The configuration server can't start: {exception.Message}", "Alone on its host, without corosync: --single-node.");
        }
    }

    /// <summary>The password between servers and for unattended pulls; made at first start, copied to the other servers by the operator.</summary>
    private static string ServicePassword(string directory)
    {
        var path = Path.Combine(directory, "service.password");
        Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        if (!File.Exists(path))
        {
            using var file = new StreamWriter(new FileStream(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite }));
            file.WriteLine(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(20)));
        }
        return File.ReadAllText(path).Trim();
    }

    private static async Task<int> JoinAsync(Call call, CancellationToken cancellationToken)
    {
        var (directory, user) = (call.Parse.GetValue(DirectoryOption)!, call.Parse.GetValue(UserName)!);
        if (File.Exists(Path.Combine(directory, "service.password")))
            throw new CliException(ExitCodes.Conflict, $"{directory} has a service password already.", "Remove that file if this server shall join another cluster.");
        var password = call.Parse.GetValue(PasswordStdin) ? await call.Host.In.ReadLineAsync(cancellationToken)
            : call.Host.Environment("ECCFG_PASSWORD") ?? (call.Host.IsInTerminal ? Secret.Ask($"Password of {user}: ", call.Error)
            : throw new CliException(ExitCodes.NotConfirmed, "There is no terminal to ask for the password.", "Add --password-stdin and give it as the first line."));
        try
        {
            var (host, port) = ServerAccess.HostAndPort(call.Parse.GetValue(Other)!);
            await ServerJoin.RunAsync(directory, host, port, user, password ?? "", call.Parse.GetValue(Fingerprint), text => call.Error.Line(text), cancellationToken);
        }
        catch (EccfgException exception)
        {
            throw new CliException(exception.ExitCode, exception.Message);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CliException(ExitCodes.Failed, exception.Message);
        }
        call.Error.Line($"{directory} is ready: start the server with 'veredus configd run'.");
        return ExitCodes.Done;
    }

    private static async Task<int> UserAsync(Call call, CancellationToken cancellationToken)
    {
        var name = call.Parse.GetValue(User)!;
        var password = call.Parse.GetValue(PasswordStdin) ? await call.Host.In.ReadLineAsync(cancellationToken)
            : call.Host.IsInTerminal ? Secret.Ask($"New password of {name}: ", call.Error)
            : throw new CliException(ExitCodes.Usage, "There is no terminal to ask for the password.", "Add --password-stdin and give it as the first line.");
        try
        {
            new UserFile(Path.Combine(call.Parse.GetValue(DirectoryOption)!, "users"), call.Host.Time).Set(name, password ?? "", call.Parse.GetValue(Writes) ?? []);
        }
        catch (EccfgException exception)
        {
            throw new CliException(exception.ExitCode, exception.Message);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CliException(ExitCodes.Failed, exception.Message);
        }
        call.Error.Line($"{name} set; a running server knows at once.");
        return ExitCodes.Done;
    }

    private static Task<int> ClientAsync(Call call, CancellationToken cancellationToken)
    {
        var words = call.Parse.GetValue(Words) ?? [];
        var host = EccfgHost(call);
        return Eccfg.RunAsync(words.Contains("--json") ? host with { Json = (schema, data) => call.Json(schema, "", data) } : host, words, cancellationToken);
    }

    /// <summary>Where eccfg reads, writes and asks in this call.</summary>
    public static EccfgHost EccfgHost(Call call)
    {
        var isTerminal = call.Host.IsInTerminal && call.Host.IsErrorTerminal;
        return new(call.Host.Out, call.Host.Error, call.Host.In,
            isTerminal ? question => Ask(call, question) : null, isTerminal ? question => Secret.Ask(question, call.Error) : null,
            call.Host.Environment, call.Host.Time, token => ReloadAsync(call, token)) { Running = token => RunningAsync(call, token) };
    }

    private static string? Ask(Call call, string question)
    {
        call.Error.Write(question, Tone.Strong);
        return call.Host.In.ReadLine();
    }

    /// <summary>Null: no MTA runs here.</summary>
    private static async Task<bool?> ReloadAsync(Call call, CancellationToken cancellationToken)
    {
        try
        {
            await using var client = await ControlClient.ConnectAsync(call.Endpoint, new(), cancellationToken);
            var reply = await client.SendAsync("config reload", cancellationToken);
            foreach (var line in reply.IsOk ? [] : reply.Lines)
                call.Error.Line(line);
            return reply.IsOk;
        }
        catch (ControlException)
        {
            return null;
        }
    }

    /// <summary>The node's complete configuration as it runs, changes at run time included; null: no node runs here.</summary>
    private static async Task<string?> RunningAsync(Call call, CancellationToken cancellationToken)
    {
        try
        {
            await using var client = await ControlClient.ConnectAsync(call.Endpoint, new(), cancellationToken);
            var reply = await client.SendAsync("write config", cancellationToken);
            return reply.IsOk ? string.Join('\n', reply.Lines) + "\n" : null;
        }
        catch (ControlException)
        {
            return null;
        }
    }
}
