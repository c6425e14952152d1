using System.CommandLine;
using System.Security.Cryptography;
using System.Text.Json;
using Veredus.Cluster;
using Veredus.CommandLine;
using Veredus.Control;
using Veredus.Setup;

namespace Veredus.Commands;

/// <summary>Makes a manager of this machine: beside the node that is here, or alone with a token of the cluster.</summary>
internal static class SetupManagerCommand
{
    private static readonly string[] Questions = ["join", "name", "address", "gather"];
    private static readonly Option<string?> Join = new("--join") { Description = "Token of the cluster ('veredus node token create'); not needed where the cluster was founded", HelpName = "TOKEN" };
    private static readonly Option<string?> Name = new("--name") { Description = "Name of the manager, one that no node has: lower case", HelpName = "NAME" };
    private static readonly Option<string?> Address = new("--address") { Description = "This host's address in the cluster's network, where no node is here; two with a comma for two links", HelpName = "ADDRESS" };
    private static readonly Option<string?> Gather = new("--gather") { Description = "Directory for the logs of all nodes, or none", HelpName = "DIR" };
    private static readonly Option<string?> Answers = new("--answers") { Description = "File with lines 'question = answer'; questions are the options' names", HelpName = "FILE" };
    private static readonly Option<string> Directory = new("--directory") { Description = "Of the configuration", HelpName = "DIR", DefaultValueFactory = _ => NodeSetup.DefaultDirectory };
    private static readonly Option<bool> NoStart = new("--no-start") { Description = "Only write; don't start the units" };

    public static Command Build(CliHost host) => CommandTree.Leaf(host, "manager", "Makes a manager: where the cluster was founded, or with --join",
        ["veredus setup manager", "veredus setup manager --name mgr1 --gather /var/log/eccluster --yes", "veredus setup manager --join vj1-... --name mgr2"],
        RunAsync, Join, Name, Address, Gather, Answers, Directory, NoStart, GlobalOptions.DryRun, GlobalOptions.Yes);

    private static async Task<int> RunAsync(Call call, CancellationToken cancellationToken)
    {
        var directory = Path.GetFullPath(call.Parse.GetValue(Directory)!);
        ManagerSetup.CheckFree(directory);
        var given = await SetupAnswers.ReadAsync(call.Parse.GetValue(Answers), Questions, cancellationToken);
        foreach (var option in (Option<string?>[])[Join, Name, Address, Gather])
            if (call.Parse.GetValue(option) is { } value)
                given[option.Name.TrimStart('-')] = value;
        var answers = new SetupAnswers(call, given, call.Host.IsInTerminal && call.Host.IsErrorTerminal && !call.Parse.GetValue(GlobalOptions.Yes));
        try
        {
            var setup = given.GetValueOrDefault("join") is { } token ? await JoinAsync(call, answers, directory, token, cancellationToken) : await HereAsync(call, answers, directory, cancellationToken);
            return setup is null ? ExitCodes.Done : await WriteAsync(call, setup, cancellationToken);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new CliException(ExitCodes.Failed, exception.Message, "Nothing was written.");
        }
    }

    /// <summary>Where the authority is, no token is needed.</summary>
    private static async Task<ManagerSetup> HereAsync(Call call, SetupAnswers answers, string directory, CancellationToken cancellationToken)
    {
        var files = NodeSetup.FilesOf(directory);
        if (!System.IO.File.Exists(files.Authority))
            throw new CliException(ExitCodes.NotFound, $"This host has no {files.Authority}, so it can't make a certificate for a manager; nothing was written.",
                "Where the cluster was founded: veredus node token create. Then here: veredus setup manager --join TOKEN. No cluster yet: veredus setup node");
        if (!ManagerSetup.IsBesideNode(directory))
            throw new CliException(ExitCodes.Conflict, $"There is {files.Authority}, but no {files.Identity}: this host's node has left, and the bus with it; nothing was written.", "veredus setup node --join TOKEN first, or set the manager up on another host.");
        var (name, gather) = await WhatAsync(answers, directory, cancellationToken);
        using var authority = ClusterAuthority.FromPem(await System.IO.File.ReadAllTextAsync(files.Authority, cancellationToken));
        return new(directory, name, gather, authority.Issue(name, call.Host.Time), null);
    }

    private static async Task<ManagerSetup?> JoinAsync(Call call, SetupAnswers answers, string directory, string typed, CancellationToken cancellationToken)
    {
        if (!JoinToken.TryParse(typed, out var token, out var error))
            throw new CliException(ExitCodes.Usage, error);
        var isBeside = ManagerSetup.IsBesideNode(directory);
        var (name, gather) = await WhatAsync(answers, directory, cancellationToken);
        var address = isBeside ? "" : await SetupCommand.AddressAsync(answers, name, cancellationToken);
        var where = isBeside ? "beside this host's node" : address;
        if (call.Parse.GetValue(GlobalOptions.DryRun))
        {
            call.Out.Line($"would ask {token.Server} for a certificate for the manager {name} ({where}); the token is good until {token.Expires:yyyy-MM-dd HH:mm:ss}Z. Nothing was asked or written.");
            return null;
        }
        await call.ConfirmAsync($"Join the cluster at {token.Server} as manager {name} ({where})?", call.Parse.GetValue(GlobalOptions.Yes), cancellationToken);
        var joined = await JoinClient.JoinAsync(token, name, isBeside ? [] : address.Split(','), call.Host.Time, cancellationToken);
        var grant = joined.Grant;
        return new(directory, name, gather, joined.Identity,
            isBeside ? null : new(grant.Cluster, BusPlan.Parse(grant.Peers), grant.Port, grant.Timing, Convert.FromBase64String(grant.BusKey)));
    }

    private static async Task<(string Name, string? Gather)> WhatAsync(SetupAnswers answers, string directory, CancellationToken cancellationToken)
    {
        var taken = NodeNames(directory);
        var name = await answers.GetAsync("name", "Name of this manager", "mgr1",
            text => taken.Contains(text) ? $"a node has the name {text}; a manager needs one of its own" : SetupCommand.CheckName(text), cancellationToken);
        var standard = directory == NodeSetup.DefaultDirectory ? "/var/log/eccluster" : Path.Combine(directory, "gathered");
        var gather = await answers.GetAsync("gather", "Directory for the logs of all nodes, or none", standard,
            text => text is "none" || (text.StartsWith('/') && !text.Contains('%', StringComparison.Ordinal) && !text.Contains('"', StringComparison.Ordinal)) ? "" : $"'{text}' is not an absolute path (without % and \"), or none", cancellationToken);
        return (name, gather is "none" ? null : gather.TrimEnd('/'));
    }

    /// <summary>Names in the list of peers that is here.</summary>
    private static HashSet<string> NodeNames(string directory)
    {
        var path = Path.Combine(directory, ClusterText.PeersFile);
        if (!System.IO.File.Exists(path))
            return [];
        return [.. System.IO.File.ReadLines(path).Select(line => line.Split('=')).Where(pair => pair.Length == 2).Select(pair => pair[0].Trim())];
    }

    private static async Task<int> WriteAsync(Call call, ManagerSetup setup, CancellationToken cancellationToken)
    {
        using var identity = setup.Identity;
        var question = call.Parse.GetValue(Join) is null ? $"Make the manager {setup.Name}?" : null;
        if (await SetupSteps.WriteAsync(call, setup.Plan(), question, cancellationToken) is not { } written)
            return ExitCodes.Done;
        if (call.IsJson)
            call.Json("veredus.setup.manager/1", setup.Name, $$"""{"manager":"{{setup.Name}}","socket":"{{JsonEncodedText.Encode(setup.Socket)}}","files":{{SetupSteps.Json(written)}}}""");
        else
            call.Out.Line($"manager {setup.Name} is set up");
        if (setup.Bus is not null && BusPlan.StateDirectory(setup.Files).StartsWith(setup.Files.Directory, StringComparison.Ordinal))
            System.IO.Directory.CreateDirectory(BusPlan.StateDirectory(setup.Files));
        if (setup.IsInPlace && Systemd.IsHere && !call.Parse.GetValue(NoStart))
            return await StartAsync(call, setup, cancellationToken);
        SetupSteps.Next(call,
            [.. setup.Bus is null ? (string[])[] : [BusPlan.StartLine(setup.Files)], $"veredus manager run -c {setup.Main}", $"veredus --manager {setup.Socket} console show cluster membership"]);
        return ExitCodes.Done;
    }

    private static async Task<int> StartAsync(Call call, ManagerSetup setup, CancellationToken cancellationToken)
    {
        await SetupSteps.StartAsync(cancellationToken,
            [["daemon-reload"], .. setup.Bus is null ? (string[][])[] : [["enable", "--now", BusPlan.Unit]], ["enable", ManagerSetup.Unit], ["restart", ManagerSetup.Unit]]);
        await using var client = await call.ConnectAsync(cancellationToken, ControlEndpoint.Unix(setup.Socket));
        call.Out.Line((await call.AskAsync(client, "show cluster membership", cancellationToken)).Body.TrimEnd());
        return ExitCodes.Done;
    }
}
