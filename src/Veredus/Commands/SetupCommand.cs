using System.CommandLine;
using System.Net;
using Veredus.Cluster;
using Veredus.CommandLine;
using Veredus.Setup;

namespace Veredus.Commands;

/// <summary>Makes a machine a node of a cluster: the first one founds it, the others join with a token; or a manager of it.</summary>
internal static class SetupCommand
{
    private static readonly string[] Questions = ["join", "cluster", "name", "address", "topology", "peers"];
    private static readonly Option<string?> Join = new("--join") { Description = "Join the cluster that made this token ('veredus node token create')", HelpName = "TOKEN" };
    private static readonly Option<string?> Cluster = new("--cluster") { Description = "Name of the new cluster", HelpName = "NAME" };
    private static readonly Option<string?> Name = new("--name") { Description = "Name of this node: lower case", HelpName = "NODE" };
    private static readonly Option<string?> Address = new("--address") { Description = "This node's address in the cluster's network; two with a comma for two links", HelpName = "ADDRESS" };
    private static readonly Option<string?> Topology = new("--topology") { Description = "Network of the virtual addresses and interface for them, e.g. \"198.18.7.0/24 eth0\", or none", HelpName = "NET IF" };
    private static readonly Option<string?> Peers = new("--peers") { Description = "The other nodes that there will be, e.g. \"mta2=198.18.7.2 mta3=198.18.7.3\", or none", HelpName = "LIST" };
    private static readonly Option<string?> Answers = new("--answers") { Description = "File with lines 'question = answer'; questions are the options' names", HelpName = "FILE" };
    private static readonly Option<string> Directory = new("--directory") { Description = "Of the configuration", HelpName = "DIR", DefaultValueFactory = _ => NodeSetup.DefaultDirectory };
    private static readonly Option<string> Timing = new("--timing") { Description = "How soon a lost node is noticed: default, or fast on a quiet network of its own", HelpName = "PROFILE", DefaultValueFactory = _ => "default" };
    private static readonly Option<bool> NoStart = new("--no-start") { Description = "Only write; don't start the units" };
    private static readonly Argument<string> Token = new("TOKEN") { Description = "From 'veredus node token create'" };

    public static Command Build(CliHost host)
    {
        Timing.AcceptOnlyFromAmong("default", "fast");
        return new("setup", "Makes this machine part of a cluster")
        {
        CommandTree.Leaf(host, "node", "Founds a cluster with this node, or joins one with --join",
            ["veredus setup node", "veredus setup node --cluster mail --name mta1 --address 198.18.7.1 --topology '198.18.7.0/24 eth0' --peers 'mta2=198.18.7.2' --yes", "veredus setup node --join vj1-..."],
            (call, stop) => RunAsync(call, call.Parse.GetValue(Join), stop), Join, Cluster, Name, Address, Topology, Peers, Timing, Answers, Directory, NoStart, GlobalOptions.DryRun, GlobalOptions.Yes),
        SetupManagerCommand.Build(host),
        };
    }

    /// <summary><c>veredus node join TOKEN</c>.</summary>
    public static Command BuildJoin(CliHost host) => CommandTree.Leaf(host, "join", "Makes this machine a node of the cluster that made the token",
        ["veredus node join vj1-...", "veredus node join vj1-... --name mta3 --yes"],
        (call, stop) => RunAsync(call, call.Parse.GetValue(Token), stop), Token, Name, Address, Topology, Answers, Directory, NoStart, GlobalOptions.DryRun, GlobalOptions.Yes);

    private static async Task<int> RunAsync(Call call, string? token, CancellationToken cancellationToken)
    {
        var directory = Path.GetFullPath(call.Parse.GetValue(Directory)!);
        NodeSetup.CheckFree(directory);
        var given = await SetupAnswers.ReadAsync(call.Parse.GetValue(Answers), Questions, cancellationToken);
        foreach (var option in (Option<string?>[])[Cluster, Name, Address, Topology, Peers])
            if (call.Parse.GetValue(option) is { } value)
                given[option.Name.TrimStart('-')] = value;
        token ??= given.GetValueOrDefault("join");
        var isAsked = call.Host.IsInTerminal && call.Host.IsErrorTerminal && !call.Parse.GetValue(GlobalOptions.Yes);
        var answers = new SetupAnswers(call, given, isAsked);
        try
        {
            var setup = token is null ? await FoundAsync(answers, directory, call, cancellationToken) : await JoinAsync(answers, directory, token, call, cancellationToken);
            if (setup is null)
                return ExitCodes.Done;
            return await WriteAsync(call, setup, token is not null, cancellationToken);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CliException(ExitCodes.Failed, exception.Message, "Nothing was written.");
        }
    }

    private static async Task<NodeSetup> FoundAsync(SetupAnswers answers, string directory, Call call, CancellationToken cancellationToken)
    {
        var cluster = await answers.GetAsync("cluster", "Name of the cluster", "veredus", CheckClusterName, cancellationToken);
        var (name, address) = await WhoAsync(answers, cancellationToken);
        var topology = await TopologyAsync(answers, HostGuess.TopologyOf(address), cancellationToken);
        IReadOnlyList<BusPeer> peers = [];
        await answers.GetAsync("peers", "The other nodes, as in: mta2=198.18.7.2 mta3=198.18.7.3 (they can also be added later)", "none", text => ReadPeers(name, address, text, out peers), cancellationToken);
        using var fresh = ClusterAuthority.Create(cluster, call.Host.Time);
        var authority = ClusterAuthority.FromPem(fresh.ExportPem());
        return new(directory, cluster, name, address, topology, peers, 4809, call.Parse.GetValue(Timing)!, authority.Issue(name, call.Host.Time), CorosyncConfiguration.NewKey(), authority);
    }

    private static async Task<NodeSetup?> JoinAsync(SetupAnswers answers, string directory, string typed, Call call, CancellationToken cancellationToken)
    {
        if (!JoinToken.TryParse(typed, out var token, out var error))
            throw new CliException(ExitCodes.Usage, error);
        var (name, address) = await WhoAsync(answers, cancellationToken);
        var guess = HostGuess.TopologyOf(address);
        var topology = await TopologyAsync(answers, guess, cancellationToken);
        if (call.Parse.GetValue(GlobalOptions.DryRun))
        {
            call.Out.Line($"would ask {token.Server} to let {name} ({address}) in; the token is good until {token.Expires:yyyy-MM-dd HH:mm:ss}Z. Nothing was asked or written.");
            return null;
        }
        await call.ConfirmAsync($"Join the cluster at {token.Server} as {name} ({address})?", call.Parse.GetValue(GlobalOptions.Yes), cancellationToken);
        var joined = await JoinClient.JoinAsync(token, name, address.Split(','), call.Host.Time, cancellationToken);
        // The others' interface may be called otherwise here; the network is theirs.
        var networks = joined.Grant.Topology.Where(block => topology.All(own => own.Network != block.Network))
            .Where(block => HostGuess.HasInterface(block.Interface)).Concat(topology).ToList();
        return new(directory, joined.Grant.Cluster, name, address, networks, BusPlan.Parse(joined.Grant.Peers), joined.Grant.Port, joined.Grant.Timing,
            joined.Identity, Convert.FromBase64String(joined.Grant.BusKey), null);
    }

    private static async Task<(string Name, string Address)> WhoAsync(SetupAnswers answers, CancellationToken cancellationToken)
    {
        var name = await answers.GetAsync("name", "Name of this node", HostGuess.NodeName, CheckName, cancellationToken);
        return (name, await AddressAsync(answers, name, cancellationToken));
    }

    /// <summary>What is wrong with a member's name; empty if nothing is.</summary>
    public static string CheckName(string name) => ReadPeers(name, "192.0.2.1", "none", out _);

    public static Task<string> AddressAsync(SetupAnswers answers, string name, CancellationToken cancellationToken) =>
        answers.GetAsync("address", "Its address in the cluster's network", HostGuess.Network()?.Address ?? "", text =>
            ReadPeers(name, text, "none", out var self) is { Length: > 0 } wrong ? wrong
            : self[0].Addresses.FirstOrDefault(one => IPAddress.IsLoopback(one) || !HostGuess.HasAddress(one)) is { } foreign ? $"{foreign} is not an address that other hosts reach this one by"
            : "", cancellationToken);

    private static async Task<IReadOnlyList<JoinTopology>> TopologyAsync(SetupAnswers answers, string guess, CancellationToken cancellationToken)
    {
        JoinTopology? topology = null;
        await answers.GetAsync("topology", "Network of the virtual addresses, and the interface for them", guess.Length > 0 ? guess : "none", text => NodeSetup.CheckTopology(text, out topology), cancellationToken);
        return topology is null ? [] : [topology];
    }

    /// <summary>This node and "name=address ..." as peers.</summary>
    private static string ReadPeers(string name, string address, string text, out IReadOnlyList<BusPeer> peers)
    {
        peers = [];
        var entries = new List<KeyValuePair<string, string>> { KeyValuePair.Create(name, address) };
        foreach (var word in text is "none" ? [] : text.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries))
        {
            if (word.Split('=') is not [{ Length: > 0 } other, { Length: > 0 } where])
                return $"'{word}' is not name=address";
            entries.Add(KeyValuePair.Create(other, where));
        }
        peers = BusPeer.ParseAll(entries, out var error) ?? [];
        return error;
    }

    private static string CheckClusterName(string name) => name.Length is > 0 and <= 63 && name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_' or '.')
        ? "" : $"'{name}': 1 to 63 letters, digits, hyphens, underscores and dots";

    private static async Task<int> WriteAsync(Call call, NodeSetup setup, bool isJoin, CancellationToken cancellationToken)
    {
        using var identity = setup.Identity;
        using var authority = setup.Authority;
        var question = isJoin ? null : $"Found the cluster {setup.Cluster} with {setup.Node}?";
        if (await SetupSteps.WriteAsync(call, setup.Plan(), question, cancellationToken) is not { } written)
            return ExitCodes.Done;
        if (BusPlan.StateDirectory(setup.Files).StartsWith(setup.Files.Directory, StringComparison.Ordinal))
            System.IO.Directory.CreateDirectory(BusPlan.StateDirectory(setup.Files));
        if (call.IsJson)
            call.Json("veredus.setup/1", setup.Node, $$"""{"cluster":"{{setup.Cluster}}","node":"{{setup.Node}}","peers":{{SetupSteps.Json(setup.Peers.Select(peer => peer.Name))}},"files":{{SetupSteps.Json(written)}}}""");
        else
            call.Out.Line(isJoin ? $"{setup.Node} is in the cluster {setup.Cluster}: {string.Join(' ', setup.Peers.Select(peer => peer.Name))}" : $"cluster {setup.Cluster} with {string.Join(' ', setup.Peers.Select(peer => peer.Name))}");
        if (setup.Directory == NodeSetup.DefaultDirectory && Systemd.IsHere && !call.Parse.GetValue(NoStart))
            return await StartAsync(call, cancellationToken);
        SetupSteps.Next(call, BusPlan.StartLine(setup.Files), $"veredus node run -c {Path.Combine(setup.Directory, ClusterText.MainFile)}");
        if (!isJoin)
            call.Error.Line($"other hosts: veredus node token create here, then there: veredus setup node --join TOKEN");
        return ExitCodes.Done;
    }

    private static async Task<int> StartAsync(Call call, CancellationToken cancellationToken)
    {
        await SetupSteps.StartAsync(cancellationToken, ["daemon-reload"], ["enable", "--now", BusPlan.Unit], ["enable", "veredus-node"], ["restart", "veredus-node"]);
        return await StatusCommand.RunAsync(call, cancellationToken);
    }
}
