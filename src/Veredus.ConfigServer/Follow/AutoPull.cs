namespace Veredus.ConfigServer;

/// <summary>How an unattended pull ended.</summary>
/// <param name="State">What the working copy is now.</param>
/// <param name="Reload"><c>reload_config_on_update</c>.</param>
public sealed record AutoPulled(FollowState State, bool Reload);

/// <summary>
/// <c>eccfg pull --auto</c>, as a function that never throws for what servers, files or operators do: what is in the way becomes the state's code and text.
/// </summary>
public static class AutoPull
{
    private static readonly TimeSpan LockWait = TimeSpan.FromSeconds(30);

    public static string ServicePasswordFile(string etc) => Path.Combine(etc, ".eccfg", "service.password");

    /// <summary>The files of <c>cluster.boot</c>; null where this host was not bootstrapped.</summary>
    /// <exception cref="EccfgException">It is there and wrong.</exception>
    public static ClusterBoot? ReadBoot(string etc)
    {
        var path = Path.Combine(etc, ClusterBoot.FileName);
        return File.Exists(path) ? ClusterBoot.Parse(File.ReadAllText(path), path) : null;
    }

    /// <summary>The way to the servers as the service user.</summary>
    private static ServerAccess AccessOf(string etc, ClusterBoot boot, TimeProvider time) => File.Exists(ServicePasswordFile(etc))
        ? new(etc, boot, ConfigServerHost.ServiceUser, () => File.ReadAllText(ServicePasswordFile(etc)).Trim(), time)
        : throw new EccfgException(EccfgExit.NotAllowed, $"there is no {ServicePasswordFile(etc)}; 'eccfg bootstrap' by an administrator puts it there");

    /// <summary>What a commit that lies on a server would do here: its tree is built as a pull would, looked at, and thrown away.</summary>
    public static async Task<NodeEffect> PlanAsync(
        string etc, string conf, ClusterBoot boot, PlanAsk ask, Func<string, CancellationToken, Task<NodeEffect>> look, TimeProvider time, CancellationToken cancellationToken)
    {
        try
        {
            using var hostLock = await HostLock.TakeAsync(etc, LockWait, time, cancellationToken);
            var copy = new WorkingCopy(etc, conf);
            var marker = copy.RequireMarker();
            var access = AccessOf(etc, boot, time);
            NodeEffect? effect = null;
            await access.FirstAsync(async (_, client) =>
            {
                using var server = access.OpenKnown(await client.StatusAsync(cancellationToken), ask.Server);
                var target = ask.Repository == WorkingCopy.GlobalName ? new PullTarget(marker.Base, ask.Commit, IsRehearsal: true) : new(ask.Commit, marker.GlobalBase, IsRehearsal: true);
                return await copy.PullAsync(server.Remote, ConflictChoice.Refuse, AutoUpdate.True, async tree => effect = await look(tree, cancellationToken), cancellationToken, target);
            }, cancellationToken);
            return effect ?? NodeEffect.Refusing(boot.NodeName, boot.ClusterName, ["the revision could not be looked at"]);
        }
        catch (Exception exception) when (exception is EccfgException or GitException or IOException or UnauthorizedAccessException)
        {
            return NodeEffect.Refusing(boot.NodeName, boot.ClusterName, exception.Message.Split('\n'));
        }
    }

    /// <summary>Brings the working copy to the servers' state, as far as <c>autoupdate</c> allows.</summary>
    /// <param name="check">Looks at the complete new tree before it counts; throws <see cref="EccfgException"/> for one that is not to be used.</param>
    public static async Task<AutoPulled> RunAsync(string etc, string conf, ClusterBoot boot, Func<string, Task>? check, TimeProvider time, CancellationToken cancellationToken)
    {
        var copy = new WorkingCopy(etc, conf);
        RepositoryHeads? wanted = null;
        try
        {
            using var hostLock = await HostLock.TakeAsync(etc, LockWait, time, cancellationToken);
            var marker = copy.RequireMarker();
            return await AccessOf(etc, boot, time).FirstAsync(async (remote, client) =>
            {
                wanted = await client.HeadsAsync(boot.ClusterName, cancellationToken);
                await new KnownServers(etc).LearnAsync(client, wanted.Servers, cancellationToken);
                if (wanted.Conflict is { } inConflict)
                    return await DoneAsync(FollowCodes.Conflict, $"{inConflict} is in CONFLICT: no updates until 'eccfg subcluster resolve {inConflict}'");
                if (wanted.Commit == marker.Base && wanted.Global == marker.GlobalBase)
                    return await DoneAsync("", "");
                if (boot.AutoUpdate == AutoUpdate.False)
                    return await DoneAsync(FollowCodes.Drift, "autoupdate is false in cluster.boot: new revisions come only by 'eccfg pull'");
                var pulled = await copy.PullAsync(remote, ConflictChoice.Refuse, boot.AutoUpdate, check, cancellationToken, new(wanted.Commit, wanted.Global));
                return pulled.HasChanged ? await DoneAsync("", "") : await DoneAsync(FollowCodes.Drift, pulled.Note);
            }, cancellationToken);
        }
        catch (EccfgException exception)
        {
            return await DoneAsync(exception switch
            {
                NotLoadedException => FollowCodes.NotLoaded,
                { ExitCode: EccfgExit.Unreachable } => FollowCodes.Unreachable,
                _ => FollowCodes.Drift,
            }, exception.Message);
        }
        catch (Exception exception) when (exception is GitException or IOException or UnauthorizedAccessException)
        {
            return await DoneAsync(FollowCodes.Drift, exception.Message);
        }

        async Task<AutoPulled> DoneAsync(string code, string text)
        {
            var (commit, global, revision) = (CommitId.None.Hex, CommitId.None.Hex, 0);
            try
            {
                if (Marker.Read(copy.Conf) is { } marker)
                    (commit, global, revision) = (marker.Base, marker.GlobalBase, (await copy.BaseHeadAsync(marker, cancellationToken)).Revision);
            }
            catch (Exception exception) when (exception is EccfgException or GitException)
            {
                (code, text) = (FollowCodes.Drift, exception.Message);
            }
            var isSame = wanted is null || (wanted.Commit == commit && wanted.Global == global);
            return new(new(boot.NodeName, boot.ClusterName, revision, commit, global, isSame ? null : wanted!.Commit != commit ? wanted.Commit : wanted.Global, code, text, time.GetUtcNow(), wanted?.Unconfirmed, wanted?.Behind), boot.ReloadConfigOnUpdate);
        }
    }
}

/// <summary>A revision does not load on this host.</summary>
public sealed class NotLoadedException(string message) : EccfgException(EccfgExit.Failed, message);
