using System.Globalization;
using System.Text;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;

namespace Veredus.ConfigServer;

/// <summary>One repository as a server sees it.</summary>
/// <param name="WhyNoCommit">Null when it takes commits.</param>
/// <param name="Marks">In CONFLICT: what a commit that resolves it has to name.</param>
public sealed record RepositoryStatus(string Name, int Revision, string Commit, string? Master, IReadOnlyList<string> Slaves, bool Conflict, string? Override, string? WhyNoCommit, IReadOnlyList<ServerHead> Servers, IReadOnlyList<string>? Marks = null);

/// <summary>Where one server stands.</summary>
/// <param name="BehindSeconds">How long its copy has lagged, from a minute on; null = it does not.</param>
public sealed record ServerHead(string Server, int Revision, string Commit, int? BehindSeconds = null);

/// <summary>The answer of <c>/api/v1/status</c>.</summary>
/// <param name="Nodes">The nodes that follow over the bus, and what they run.</param>
public sealed record ServerStatus(string Node, IReadOnlyList<ServerInfo> Servers, IReadOnlyList<RepositoryStatus> Repositories, IReadOnlyList<FollowState>? Nodes = null);

/// <summary>The answer of <c>/api/v1/heads</c>.</summary>
/// <param name="Commit">Of the subcluster's <c>main</c>.</param>
/// <param name="Global">Of <c>global</c>'s.</param>
/// <param name="Conflict">Which of the two is in CONFLICT; null = none.</param>
/// <param name="Servers">Where the configuration servers are, as host:port.</param>
/// <param name="Unconfirmed">Which of the two tips waits to be kept, in words; null = none.</param>
/// <param name="Behind">Which servers' copies of the two lag, in words; null = none.</param>
public sealed record RepositoryHeads(int Revision, string Commit, string Global, string? Conflict, IReadOnlyList<string> Servers, string? Unconfirmed = null, string? Behind = null);

/// <summary>The answer of <c>/api/v1/pending</c>: servers that are present and have not the commit yet.</summary>
public sealed record PendingServers(IReadOnlyList<string> Pending);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(ServerStatus))]
[JsonSerializable(typeof(PendingServers))]
[JsonSerializable(typeof(RepositoryHeads))]
[JsonSerializable(typeof(IReadOnlyList<FollowState>))]
internal sealed partial class ControlJson : JsonSerializerContext;

/// <summary>What <c>eccfg subcluster</c> asks. Reads are for every user, deeds for those who may write the repository.</summary>
internal sealed class ControlApi(RepositoryStore store, PushGate gate, Replicator replicator, FollowDesk desk, ConfirmationKeeper confirmations, LagKeeper lags, UserFile users, string nodeName, string servicePassword, string conflictDirectory, TimeProvider time)
{
    private static readonly TimeSpan PlanWait = TimeSpan.FromSeconds(60), InForceWait = TimeSpan.FromSeconds(30);

    public async Task HandleAsync(HttpContext context, string what, ConfigUser user)
    {
        var query = context.Request.Query;
        string Asked(string key) => query[key].ToString();
        try
        {
            if (HttpMethods.IsGet(context.Request.Method) && what == "status")
                await Results.Json(Status(), ControlJson.Default.ServerStatus).ExecuteAsync(context);
            else if (HttpMethods.IsGet(context.Request.Method) && what == "pending")
                await Results.Json(new PendingServers(await replicator.WaitForAcknowledgementAsync(Known(Asked("repository")), new(Asked("commit")), byAll: true, context.RequestAborted)), ControlJson.Default.PendingServers).ExecuteAsync(context);
            else if (HttpMethods.IsGet(context.Request.Method) && what == "heads")
                await Results.Json(await HeadsAsync(Known(Asked("repository")), context.RequestAborted), ControlJson.Default.RepositoryHeads).ExecuteAsync(context);
            else if (HttpMethods.IsGet(context.Request.Method) && what == "followed")
                await Results.Json(await desk.WaitAsync(Asked("repository"), Known(Asked("part")), Asked("commit"), context.RequestAborted), ControlJson.Default.IReadOnlyListFollowState).ExecuteAsync(context);
            else if (HttpMethods.IsPost(context.Request.Method) && what == "plan" && user.MayWrite(Asked("repository")))
                await Results.Json(await PlanAsync(Known(Asked("repository")), Asked("commit"), context.RequestAborted), PlanJson.Default.PlanAnswers).ExecuteAsync(context);
            else if (HttpMethods.IsGet(context.Request.Method) && what is "service" or "users")
                await (user.MayWrite("*") ? ConfigServerHost.RefuseAsync(context, StatusCodes.Status200OK, what == "users" ? users.Text : servicePassword)
                    : ConfigServerHost.RefuseAsync(context, StatusCodes.Status403Forbidden, $"{user.Name} may not see the {(what == "users" ? "users" : "service password")}."));
            else if (!HttpMethods.IsPost(context.Request.Method))
                await ConfigServerHost.RefuseAsync(context, StatusCodes.Status404NotFound, $"There is no {what}.");
            else if (!user.MayWrite(Asked("repository")))
                await ConfigServerHost.RefuseAsync(context, StatusCodes.Status403Forbidden, $"{user.Name} may not change {Asked("repository")}.");
            else
                await ConfigServerHost.RefuseAsync(context, StatusCodes.Status200OK, await ActAsync(what, Asked("repository"), Asked("node"), Asked("from"), user, context.RequestAborted));
        }
        catch (EccfgException exception)
        {
            var status = exception.ExitCode switch { EccfgExit.Conflict => StatusCodes.Status409Conflict, EccfgExit.Usage => StatusCodes.Status400BadRequest, EccfgExit.Unreachable => StatusCodes.Status503ServiceUnavailable, _ => StatusCodes.Status422UnprocessableEntity };
            await ConfigServerHost.RefuseAsync(context, status, exception.Message);
        }
        catch (Exception exception) when (exception is ArgumentException or GitException)
        {
            await ConfigServerHost.RefuseAsync(context, StatusCodes.Status400BadRequest, exception.Message);
        }
    }

    private async Task<string> ActAsync(string what, string repository, string node, string from, ConfigUser user, CancellationToken cancellationToken)
    {
        switch (what)
        {
            case "forget":
                return desk.Forget(node) ? $"{node} is no longer missed" : throw new EccfgException(desk.Nodes.Any(here => here.Node == node) ? $"{node} follows now; stop it first." : $"there was never a node {node}.");
            case "create":
                if (store.Has(repository))
                    throw new EccfgException($"there is a subcluster {repository} already.");
                await store.CreateAsync(repository, cancellationToken);
                await replicator.AddAsync(repository);
                return $"created {repository}";
            case "copy":
                if (store.Has(repository))
                    throw new EccfgException($"there is a subcluster {repository} already.");
                var head = await store.Open(Known(from)).HeadAsync(cancellationToken);
                var made = await store.CreateAsync(repository, cancellationToken);
                await made.RunAsync(["fetch", "--quiet", "--no-write-fetch-head", store.Open(from).Directory, head.Commit.Hex], cancellationToken);
                await made.RunAsync(["update-ref", "refs/heads/main", head.Commit.Hex], cancellationToken);
                await replicator.AddAsync(repository);
                return $"copied {from} to {repository} at {head}";
            case "override" or "resume":
                var serial = Replica(repository).Memory.Override.Serial + 1;
                if (replicator.Servers.All(server => server.Name != node))
                    throw new EccfgException($"'{node}' is no configuration server here; there are {string.Join(", ", replicator.Servers.Select(server => server.Name))}.");
                replicator.Send(new(repository, Override: new(serial, what == "override" ? node : null), Leader: what == "resume" ? node : null));
                await InForceAsync(() => Replica(repository).Memory.Override.Serial >= serial, cancellationToken);
                return what == "override" ? $"{node} is master of {repository} until 'resume'" : $"{repository} elects its master again; {node} is it for now, if it has the whole history";
            case "conflict":
                _ = Replica(repository);
                replicator.Send(new(repository, Freeze: $"freeze:{nodeName}:{time.GetUtcNow().ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture)}"));
                await InForceAsync(() => Replica(repository).InConflict, cancellationToken);
                return $"{repository} is in CONFLICT until 'resolve'";
            case "resolve":
                return await replicator.DoAsync(() => ResolveAsync(Known(repository), node, user, cancellationToken));
            default:
                throw new EccfgException(EccfgExit.Usage, $"'{what}' is nothing that can be done.");
        }
    }

    /// <summary>What was sent to all counts when it has come back: only then is it said to be done.</summary>
    private async Task InForceAsync(Func<bool> isInForce, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(InForceWait, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            await replicator.UntilAsync(isInForce, either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new EccfgException("the bus has not delivered it within 30 seconds; 'eccfg subcluster status' shows whether it is in force.");
        }
    }

    private string Known(string repository) => replicator.Replicas.ContainsKey(repository) ? repository
        : store.Has(repository) ? throw new TryAgainException($"{nodeName} has only just started and does not serve {repository} yet; {ConfigServer.Replica.TryAgain}")
        : throw new EccfgException(EccfgExit.Usage, $"there is no subcluster '{repository}'.");

    private Replica Replica(string repository) => replicator.Replicas[Known(repository)];

    /// <summary>
    /// Ends a CONFLICT by one commit on this master's <c>main</c>: the three-way merge of all sides, or one side's files as they are. The commit
    /// names what it resolves, so every server sees by itself that its side is part of it.
    /// </summary>
    private async Task<string> ResolveAsync(string name, string take, ConfigUser user, CancellationToken cancellationToken)
    {
        var (repository, replica) = (store.Open(name), replicator.Replicas[name]);
        if (!replica.InConflict)
            return $"{name} is not in CONFLICT";
        if (!replica.Standing.IsComplete || !replica.IsMaster)
            throw new EccfgException(EccfgExit.Conflict, $"ask the master of {name}: {replica.MasterName ?? "not agreed on yet"}.");
        var marks = new List<string>();
        foreach (var mark in replica.Marks)
            if (!await Ancestry.ContainsAsync(repository, replica.Head.Commit, mark, cancellationToken))
                marks.Add(mark);
        var (tree, sides) = (replica.Head.Commit.Hex + "^{tree}", replica.Standing.Tops.Where(top => top != replica.Head).ToList());
        foreach (var side in sides)
            if (await repository.ResolveAsync(side.Commit.Hex, cancellationToken) is null)
                throw new EccfgException(EccfgExit.Conflict, $"{side} has not arrived here yet; try again.");
        if (take.Length > 0)
        {
            var taken = replica.Reports.Values.FirstOrDefault(report => report.Server == take)?.Head ?? throw new EccfgException(EccfgExit.Usage, $"'{take}' is no side of the conflict.");
            tree = taken.Commit.Hex + "^{tree}";
            await SavePatchesAsync(repository, name, taken, replica.Standing.Tops, cancellationToken);
        }
        else
        {
            var merged = replica.Head.Commit;
            foreach (var side in sides)
            {
                var merge = await TreeMerge.RunAsync(repository, merged, merged, side.Commit, ConflictChoice.Refuse, cancellationToken);
                if (merge.Conflicts.Count > 0)
                    throw new EccfgException(EccfgExit.Conflict, $"cannot resolve automatically: {string.Join(", ", merge.Conflicts)}; take one side: eccfg subcluster resolve {name} --take <node>");
                merged = await CommitAsync(merge.Tree, [merged, side.Commit]);
            }
            tree = merged.Hex + "^{tree}";
        }
        var hex = (await repository.RunAsync(["rev-parse", "--verify", tree], cancellationToken)).Trim();
        var commit = await CommitAsync(hex, [replica.Head.Commit]);
        if (take.Length == 0 && await gate.ValidateAsync(name, repository, commit.Hex, cancellationToken) is { Count: > 0 } findings)
            throw new EccfgException(EccfgExit.Conflict, $"cannot resolve automatically, the merge does not validate:\n{string.Join('\n', findings)}");
        await repository.RunAsync(["update-ref", "refs/heads/main", commit.Hex, replica.Head.Commit.Hex], cancellationToken);
        var head = await repository.HeadAsync(cancellationToken);
        await replicator.ApplyAsync(name, new ReplicaEvent.HeadMoved(head));
        return $"{name} resolved by {head}";

        Task<CommitId> CommitAsync(string of, CommitId[] parents) => repository.CommitTreeAsync(
            of, parents, $"resolve the conflict of {name}\n\n{string.Concat(marks.Select(mark => $"{Ancestry.Trailer}: {mark}\n"))}", user.Name, $"ecconfigd {nodeName}", time.GetUtcNow(), cancellationToken);
    }

    /// <summary>What the sides that were not taken had changed, for doing it again by hand.</summary>
    private async Task SavePatchesAsync(GitRepository repository, string name, Head taken, IEnumerable<Head> tops, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(conflictDirectory);
        foreach (var side in tops.Where(top => top != taken))
        {
            var patch = await repository.RunAsync(["diff", $"{taken.Commit.Hex}...{side.Commit.Hex}"], cancellationToken);
            AtomicFile.Write(Path.Combine(conflictDirectory, $"{name}-{side.Commit.Short}.patch"), Encoding.UTF8.GetBytes(patch));
        }
    }

    /// <summary>Asks the nodes about a commit that was pushed as a candidate, and lets the candidate go.</summary>
    private async Task<PlanAnswers> PlanAsync(string repository, string commit, CancellationToken cancellationToken)
    {
        var answers = await desk.PlanAsync(repository, new CommitId(commit).Hex, nodeName, PlanWait, cancellationToken);
        await store.Open(repository).TryAsync(["update-ref", "-d", PushGate.Candidates + commit], cancellationToken);
        return answers;
    }

    private async Task<RepositoryHeads> HeadsAsync(string subcluster, CancellationToken cancellationToken)
    {
        var (own, global) = (replicator.Replicas[subcluster], replicator.Replicas[Known(WorkingCopy.GlobalName)]);
        return new(own.Head.Revision, own.Head.Commit.Hex, global.Head.Commit.Hex, own.InConflict ? subcluster : global.InConflict ? WorkingCopy.GlobalName : null,
            [.. replicator.Servers.Select(server => $"{server.Host}:{server.Port}")], await UnconfirmedAsync([(subcluster, own.Head), (WorkingCopy.GlobalName, global.Head)], cancellationToken), Behind(subcluster, WorkingCopy.GlobalName));
    }

    private async Task<string?> UnconfirmedAsync((string Name, Head Head)[] tips, CancellationToken cancellationToken)
    {
        var waiting = new List<string>();
        foreach (var (name, head) in tips)
            if (await confirmations.OfTipAsync(name, head.Commit, cancellationToken) is { } within)
                waiting.Add($"{head} of {name} is taken back {Span(within)} after its commit unless 'eccfg keep' comes");
        return waiting.Count == 0 ? null : string.Join("; ", waiting);
    }

    private string? Behind(params string[] names)
    {
        var behind = names.SelectMany(name => lags.Behind(name).Select(lag => $"{lag.Server}'s copy of {name} lags by more than {ReplicaLag.PatienceSeconds:0} s")).ToList();
        return behind.Count == 0 ? null : string.Join("; ", behind);
    }

    private static string Span(TimeSpan span) => span.TotalSeconds % 60 == 0 ? $"{span.TotalMinutes:0} min" : $"{span.TotalSeconds:0} s";

    private ServerStatus Status() => new(nodeName, [.. replicator.Servers], [.. replicator.Replicas.OrderBy(entry => entry.Key, StringComparer.Ordinal).Select(entry =>
    {
        var replica = entry.Value;
        var behind = lags.Behind(entry.Key).ToDictionary(lag => lag.Server, lag => lag.For);
        return new RepositoryStatus(entry.Key, replica.Head.Revision, replica.Head.Commit.Hex, replica.MasterName,
            [.. replica.Reports.Where(report => report.Key != replica.Standing.Master).Select(report => report.Value.Server).Order(StringComparer.Ordinal)],
            replica.InConflict, replica.Memory.Override.Server, replicator.WhyNoCommit(entry.Key),
            [.. replica.Reports.Values.Select(report => new ServerHead(report.Server, report.Head.Revision, report.Head.Commit.Hex, behind.TryGetValue(report.Server, out var since) ? (int)since.TotalSeconds : null)).OrderBy(head => head.Server, StringComparer.Ordinal)],
            replica.InConflict ? [.. replica.Marks.Where(mark => mark != replica.Head.Commit.Hex)] : null);
    })], desk.Nodes);
}
