using System.CommandLine;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Veredus.Cluster;
using Veredus.CommandLine;
using Veredus.Output;
using Veredus.Setup;
using ConfigurationSnapshot = Veredus.Configuration.ConfigurationSnapshot;
using Options = Veredus.Configuration.Options;
using ScopeKinds = Veredus.Configuration.ScopeKinds;

namespace Veredus.Commands;

/// <summary>Who is in the cluster: tokens for new members, peers that come and go, leaving.</summary>
internal static class MembersCommand
{
    private const int DefaultPort = 4810;
    private static readonly TimeSpan MaxLife = TimeSpan.FromDays(1);
    private static readonly Option<string?> File = new("-c", "--config") { Description = "Main configuration file", HelpName = "FILE" };
    private static readonly Option<string> For = new("--for") { Description = "How long the token is good, at most 24h", HelpName = "TIME", DefaultValueFactory = _ => "1h" };
    private static readonly Option<int> Port = new("--port") { Description = "TCP port to wait on; 0 = any", HelpName = "N", DefaultValueFactory = _ => DefaultPort };
    private static readonly Option<string> Directory = new("--directory") { Description = "Of the configuration", HelpName = "DIR", DefaultValueFactory = _ => NodeSetup.DefaultDirectory };
    private static readonly Argument<string> Node = new("NODE") { Description = "Node name" };
    private static readonly Argument<string> Address = new("ADDRESS") { Description = "Its address in the cluster's network; two with a comma for two links" };

    public static Command BuildToken(CliHost host) => new("token", "Tokens that let a machine join")
    {
        CommandTree.Leaf(host, "create", "Makes a token and waits until it is used; Ctrl-C withdraws it",
            ["veredus node token create", "veredus node token create --for 10m --json"], CreateAsync, File, For, Port),
    };

    public static Command BuildLeave(CliHost host) => CommandTree.Leaf(host, "leave", "Takes this machine out of its cluster: removes its keys and what setup wrote",
        ["veredus node leave", "veredus node leave --dry-run"], LeaveAsync, Directory, GlobalOptions.DryRun, GlobalOptions.Yes);

    /// <summary><c>veredus cluster add|remove</c>.</summary>
    public static IEnumerable<Command> BuildPeers(CliHost host) =>
    [
        CommandTree.Leaf(host, "add", "Adds a peer to this host's files; the same on every node", ["veredus cluster add mta3 198.18.7.3"],
            (call, stop) => ChangeAsync(call, list => list.Add(call.Parse.GetValue(Node)!, call.Parse.GetValue(Address)!), stop), Node, Address, File),
        CommandTree.Leaf(host, "remove", "Takes a peer out of this host's files; the same on every node", ["veredus cluster remove mta3"],
            (call, stop) => ChangeAsync(call, list => list.Remove(call.Parse.GetValue(Node)!) ? "" : $"{call.Parse.GetValue(Node)} is not among the other peers ({string.Join(' ', list.Peers.Select(peer => peer.Name))})", stop), Node, File),
    ];

    private static async Task<int> CreateAsync(Call call, CancellationToken cancellationToken)
    {
        var life = Duration.Parse(call.Parse.GetValue(For)!, "--for");
        if (life > MaxLife || life <= TimeSpan.Zero)
            throw new CliException(ExitCodes.Usage, $"--for {call.Parse.GetValue(For)}: a token is good for at most 24h.");
        var snapshot = ConfigCommand.Load(call, File);
        var list = new PeerList(snapshot);
        if (!System.IO.File.Exists(list.Files.Authority))
            throw new CliException(ExitCodes.NotFound, $"This host has no {list.Files.Authority}: tokens are made where the cluster was set up.", "There: veredus node token create. Never set up yet: veredus setup node");
        if (!IPAddress.TryParse(snapshot.Get(ScopeKinds.Cluster, Options.Nodeaddr), out var here))
            throw new CliException(ExitCodes.Failed, "The configuration names no nodeaddr, so a new node would not know where to ask.", "cluster { nodeaddr = \"...\" }");
        try
        {
            using var authority = ClusterAuthority.FromPem(await System.IO.File.ReadAllTextAsync(list.Files.Authority, cancellationToken));
            using var identity = list.Files.ReadIdentity() ?? throw new IOException($"{list.Files.Identity} is missing.");
            var key = BusKey.Read(list.Files.BusKey);
            using var server = new JoinServer(new(here, call.Parse.GetValue(Port)), here, identity, life, call.Host.Time, (who, why) => call.Error.Line($"{who}: {why}", Tone.Warning));
            if (call.IsJson)
                call.Json("veredus.node.token/1", identity.NodeName, $$"""{"token":"{{server.Token}}","server":"{{server.Token.Server}}","expires":"{{server.Token.Expires:yyyy-MM-dd'T'HH:mm:ss'Z'}}"}""");
            else
                call.Out.Line(server.Token.ToString());
            await call.Host.Out.FlushAsync(cancellationToken);
            call.Error.Line($"good once, until {server.Token.Expires.UtcDateTime.ToString("HH:mm:ss'Z'", CultureInfo.InvariantCulture)}, while this command runs (Ctrl-C withdraws it). On the new host:");
            call.Error.Line("  veredus setup node --join TOKEN        (a manager: veredus setup manager --join TOKEN)", Tone.Strong);
            var isNew = false;
            var joined = await server.WaitAsync(request => Grant(call, list, snapshot, authority, key, request, out isNew), cancellationToken);
            if (call.IsJson)
                call.Json("veredus.node.joined/1", identity.NodeName, $$"""{"node":"{{joined.Node}}","new":{{(isNew ? "true" : "false")}}}""");
            else
                call.Out.Line(joined.Addresses.Count > 0 ? $"{joined.Node} ({string.Join(',', joined.Addresses)}) joined" : $"{joined.Node} joined, beside a node");
            if (isNew)
                await ReloadAsync(call, list, joined.Node, $"on the other nodes: veredus cluster add {joined.Node} {string.Join(',', joined.Addresses)}", cancellationToken);
            return ExitCodes.Done;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or CryptographicException or SocketException)
        {
            throw new CliException(ExitCodes.Failed, exception.Message, exception is SocketException ? $"Another port: --port; it must be open between the hosts." : "");
        }
    }

    private static JoinGrant Grant(Call call, PeerList list, ConfigurationSnapshot snapshot, ClusterAuthority authority, byte[] key, JoinRequest request, out bool isNew)
    {
        var before = list.Peers;
        var isBeside = request.Addresses.Count == 0;
        isNew = !isBeside && before.All(peer => peer.Name != request.Node);
        if (request.Node == snapshot.Get(ScopeKinds.Cluster, Options.Nodename))
            return new() { Error = $"{request.Node} is the node that made the token; give this one another name" };
        if (isBeside && SetupCommand.CheckName(request.Node) is { Length: > 0 } bad)
            return new() { Error = bad };
        if (isBeside && before.Any(peer => peer.Name == request.Node))
            return new() { Error = $"a node has the name {request.Node}; a manager needs one of its own" };
        if (!isBeside && list.Add(request.Node, string.Join(',', request.Addresses)) is { Length: > 0 } wrong)
            return new() { Error = wrong };
        try
        {
            var certificate = authority.IssuePem(request.Node, Convert.FromBase64String(request.Key), call.Host.Time);
            if (isNew)
                list.Plan().Apply(CancellationToken.None);
            return new()
            {
                Cluster = list.Cluster,
                Certificate = certificate,
                Authority = authority.CertificatePem,
                BusKey = Convert.ToBase64String(key),
                Peers = [.. list.Peers.Select(peer => KeyValuePair.Create(peer.Name, ClusterText.Entry(peer)))],
                Port = list.Port,
                Timing = list.Timing,
                Topology = [.. TopologyOf(snapshot)],
            };
        }
        catch (Exception exception) when (exception is CryptographicException or FormatException or IOException or CliException)
        {
            return new() { Error = exception.Message };
        }
    }

    private static IEnumerable<JoinTopology> TopologyOf(ConfigurationSnapshot snapshot) => (snapshot.Singleton(ScopeKinds.Cluster)?.Children ?? [])
        .Where(scope => scope.Kind == ScopeKinds.Topology && scope.Get(Options.TopologyInterface) is not null)
        .Select(scope => new JoinTopology(scope.Instance, scope.Get(Options.TopologyInterface)!));

    private static async Task<int> ChangeAsync(Call call, Func<PeerList, string> change, CancellationToken cancellationToken)
    {
        var list = new PeerList(ConfigCommand.Load(call, File));
        if (change(list) is { Length: > 0 } wrong)
            throw new CliException(wrong.Contains("is not among", StringComparison.Ordinal) ? ExitCodes.NotFound : ExitCodes.Conflict, $"{wrong}; nothing was written.");
        try
        {
            var changes = list.Plan();
            var deeds = changes.Describe().ToList();
            changes.Apply(cancellationToken);
            if (call.IsJson)
                call.Json("veredus.cluster.peers/1", "", $$"""{"changed":{{(deeds.Count > 0 ? "true" : "false")}},"peers":[{{string.Join(',', list.Peers.Select(peer => $"\"{peer.Name}\""))}}]}""");
            else
                call.Out.Line(deeds.Count > 0 ? $"peers: {string.Join(' ', list.Peers.Select(peer => peer.Name))}" : "nothing to change");
            if (deeds.Count > 0)
                await ReloadAsync(call, list, call.Parse.GetValue(Node)!, "the same command on every other node", cancellationToken);
            return ExitCodes.Done;
        }
        catch (IOException exception)
        {
            throw new CliException(ExitCodes.Failed, exception.Message);
        }
    }

    /// <summary>A running corosync learns of the new list; each host's reads its own file, so the others' must have it first.</summary>
    private static async Task ReloadAsync(Call call, PeerList list, string changed, string others, CancellationToken cancellationToken)
    {
        if (list.Peers.Count(peer => peer.Name != changed) > 1)
            call.Error.Line(others, Tone.Strong);
        var (exitCode, said) = await Systemd.RunAsync("corosync-cfgtool", ["-R"], cancellationToken);
        call.Error.Line(BusPlan.AfterReload(exitCode, said, list.Files));
    }

    private static async Task<int> LeaveAsync(Call call, CancellationToken cancellationToken)
    {
        var directory = Path.GetFullPath(call.Parse.GetValue(Directory)!);
        var files = NodeSetup.FilesOf(directory);
        using var identity = files.ReadIdentity() ?? throw new CliException(ExitCodes.NotFound, $"This host is in no cluster: {files.Identity} is not there.");
        var main = Path.Combine(directory, ClusterText.MainFile);
        var ours = ((string[])[files.Identity, files.AuthorityCertificate, files.BusKey, files.BusConfiguration, .. Ours(directory)]).Where(System.IO.File.Exists).ToList();
        foreach (var path in ours)
            call.Error.Line($"  remove  {path}");
        if (System.IO.File.Exists(files.Authority))
            call.Error.Line($"! {files.Authority} stays: without it no member can be made any more. Move it to another node.", Tone.Warning);
        if (call.Parse.GetValue(GlobalOptions.DryRun))
            return ExitCodes.Done;
        await call.ConfirmAsync($"Take {identity.NodeName} out of its cluster?", call.Parse.GetValue(GlobalOptions.Yes), cancellationToken);
        if (directory == NodeSetup.DefaultDirectory && Systemd.IsHere)
            // The node hands its addresses over while it stops.
            await Systemd.RunAsync("systemctl", ["disable", "--now", "veredus-node", BusPlan.Unit], cancellationToken);
        else if (System.IO.File.Exists(call.Endpoint.ToString()) && await AnswersAsync(call, cancellationToken))
            throw new CliException(ExitCodes.Conflict, $"A node still runs here ({call.Endpoint}); nothing was removed.", "Stop it first: it hands its addresses over while it stops.");
        try
        {
            if (System.IO.File.Exists(main))
            {
                var changes = new FileChanges();
                changes.Add(main, string.Join('\n', (await System.IO.File.ReadAllTextAsync(main, cancellationToken)).Split('\n').Where(line => line.Trim() != ClusterText.Include)), System.IO.File.GetUnixFileMode(main), "");
                changes.Apply(cancellationToken);
            }
            ours.ForEach(System.IO.File.Delete);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CliException(ExitCodes.Failed, exception.Message);
        }
        if (call.IsJson)
            call.Json("veredus.node.leave/1", identity.NodeName, $$"""{"removed":{{ours.Count}}}""");
        else
            call.Out.Line($"{identity.NodeName} has left; its mail is still in its spool");
        call.Error.Line($"next, on every other node: veredus cluster remove {identity.NodeName}", Tone.Strong);
        return ExitCodes.Done;
    }

    private static IEnumerable<string> Ours(string directory)
    {
        var (cluster, peers) = (Path.Combine(directory, ClusterText.ClusterFile), Path.Combine(directory, ClusterText.PeersFile));
        if (ClusterText.IsOurCluster(cluster))
            yield return cluster;
        if (ClusterText.IsOurPeers(peers))
            yield return peers;
        if (directory == NodeSetup.DefaultDirectory)
            yield return ClusterText.DropInPath;
    }

    private static async Task<bool> AnswersAsync(Call call, CancellationToken cancellationToken)
    {
        try
        {
            await using var client = await call.ConnectAsync(cancellationToken);
            return true;
        }
        catch (CliException)
        {
            return false;
        }
    }
}
