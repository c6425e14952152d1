using System.Diagnostics;
using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Veredus.ConfigServer;

/// <summary>Serves the git protocol by <c>git http-backend</c>; a push is answered only when it is replicated.</summary>
internal sealed class GitBackend(RepositoryStore store, PushGate gate, Replicator replicator)
{
    private const int MaxHeldAnswer = 1024 * 1024;

    /// <summary>One request for <c>/config/NAME.git/path</c>. The user is signed in.</summary>
    public async Task HandleAsync(HttpContext context, string name, string path, ConfigUser user)
    {
        var service = path == "info/refs" ? context.Request.Query["service"].ToString() : path;
        if (!store.Has(name) || service is not ("git-upload-pack" or "git-receive-pack") || (path == "info/refs") != HttpMethods.IsGet(context.Request.Method))
        {
            await ConfigServerHost.RefuseAsync(context, StatusCodes.Status404NotFound, $"There is no repository {name}, or nothing at {path}.");
            return;
        }
        var isPush = service == "git-receive-pack";
        // The service user saves running configurations, and nothing else: the branches are looked at when they are known.
        if (isPush && !user.MayWrite(name) && user.Name != ConfigServerHost.ServiceUser)
        {
            await ConfigServerHost.RefuseAsync(context, StatusCodes.Status403Forbidden, $"{user.Name} may not write to {name}.");
            return;
        }
        if (isPush && replicator.MasterUrl(name) is { } master)
        {
            context.Response.StatusCode = StatusCodes.Status307TemporaryRedirect;
            context.Response.Headers.Location = $"{master}/config/{name}.git/{path}{context.Request.QueryString}";
            return;
        }
        await RunAsync(context, name, path, user, isPush && path != "info/refs");
    }

    private async Task RunAsync(HttpContext context, string name, string path, ConfigUser user, bool isPush)
    {
        var start = new ProcessStartInfo("git", ["http-backend"]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        GitRepository.Prepare(start.Environment, store.Open(name).Directory);
        start.Environment.Remove("GIT_DIR");
        var request = context.Request;
        foreach (var (key, value) in new[]
        {
            ("GIT_PROJECT_ROOT", store.Root), ("PATH_INFO", $"/{name}.git/{path}"), ("GIT_HTTP_EXPORT_ALL", "1"), ("REQUEST_METHOD", request.Method),
            ("QUERY_STRING", request.QueryString.Value?.TrimStart('?') ?? ""), ("CONTENT_TYPE", request.ContentType ?? ""), ("REMOTE_USER", user.Name),
            ("REMOTE_ADDR", context.Connection.RemoteIpAddress?.ToString() ?? ""), ("CONTENT_LENGTH", request.ContentLength?.ToString(CultureInfo.InvariantCulture) ?? ""),
            ("HTTP_CONTENT_ENCODING", request.Headers.ContentEncoding.ToString()), ("GIT_PROTOCOL", request.Headers["Git-Protocol"].ToString()),
        })
            if (value.Length > 0)
                start.Environment[key] = value;
        var before = isPush ? await store.Open(name).HeadAsync(context.RequestAborted) : Head.None;
        await using var conversation = isPush ? new PushConversation() : null;
        if (conversation is not null)
            start.Environment["VEREDUS_PUSH"] = conversation.Directory;
        using var process = Process.Start(start) ?? throw new GitException("git can't be started; is it installed?");
        using var kill = context.RequestAborted.Register(() => process.Kill(entireProcessTree: true));
        var judged = conversation?.AnswerAsync((quarantine, force, references) => JudgeAsync(name, user, quarantine, force, references)) ?? Task.CompletedTask;
        var errors = process.StandardError.ReadToEndAsync(CancellationToken.None);
        var sent = SendBodyAsync(request.Body, process.StandardInput.BaseStream, context.RequestAborted);
        using var held = new MemoryStream();
        await CopyAnswerAsync(process.StandardOutput.BaseStream, context, isPush ? held : null);
        await process.WaitForExitAsync(CancellationToken.None);
        await sent;
        if (conversation is not null)
            await conversation.EndAsync();
        await judged;
        await errors;
        if (!isPush)
            return;
        // The client hears of it when it is safe: another server has it too, or five seconds have passed.
        var after = await store.Open(name).HeadAsync(CancellationToken.None);
        if (after != before)
        {
            await replicator.HeadMovedAsync(name, after);
            await replicator.WaitForAcknowledgementAsync(name, after.Commit, byAll: false, context.RequestAborted);
        }
        held.Position = 0;
        await held.CopyToAsync(context.Response.Body, context.RequestAborted);
    }

    private async Task<IReadOnlyList<string>> JudgeAsync(string name, ConfigUser user, string quarantine, bool force, IReadOnlyList<string> references)
    {
        var repository = store.Open(name);
        var pushed = repository.With(new Dictionary<string, string>
        {
            ["GIT_OBJECT_DIRECTORY"] = Path.GetFullPath(Path.Combine(repository.Directory, quarantine)),
            ["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = Path.Combine(repository.Directory, "objects"),
        });
        var problems = new List<string>();
        foreach (var parts in references.Select(line => line.Split(' ', 3)).Where(parts => parts.Length == 3))
        {
            if (!user.MayWrite(name) && !parts[2].StartsWith("refs/heads/running/", StringComparison.Ordinal))
                problems.Add($"{user.Name} may write to running/<node> only.");
            else if (parts[2] == "refs/heads/main" && await WaitingAsync(name, pushed, parts[1]) is { } waiting)
                problems.Add($"{Remote.Refused}{waiting}");
            else if (parts[2] == "refs/heads/main" && replicator.WhyNoCommit(name) is { } why && !await ResolvesAsync(name, pushed, parts[1]))
                problems.Add($"{(why.EndsWith(Replica.TryAgain, StringComparison.Ordinal) ? Remote.RefusedNow : Remote.Refused)}{name} takes no commit: {why}.");
            else
                problems.AddRange(await gate.CheckAsync(name, pushed, parts[2], parts[0], parts[1], force, CancellationToken.None));
        }
        return problems;
    }

    /// <summary>While the tip waits to be kept, only what keeps it or takes it back is a commit: a later one would be taken back with it, or not.</summary>
    private async Task<string?> WaitingAsync(string name, GitRepository pushed, string commit)
    {
        if (!replicator.Replicas.TryGetValue(name, out var replica) || !CommitId.IsValid(commit) || await Confirmation.OfAsync(pushed, replica.Head.Commit, CancellationToken.None) is null)
            return null;
        return await Confirmation.EndsAsync(pushed, commit, replica.Head.Commit, CancellationToken.None) ? null : $"{name} waits for {replica.Head.Commit.Short} to be kept ('eccfg keep') or taken back ('eccfg undo')";
    }

    /// <summary>In CONFLICT the master takes one commit: the one whose history contains all that the conflict is about (<c>commit --resolve</c>).</summary>
    private async Task<bool> ResolvesAsync(string name, GitRepository pushed, string commit)
    {
        if (!replicator.Replicas.TryGetValue(name, out var replica) || !replica.InConflict || !replica.Standing.IsComplete || !replica.IsMaster || !CommitId.IsValid(commit))
            return false;
        foreach (var mark in replica.Marks)
            if (!await Ancestry.ContainsAsync(pushed, new(commit), mark, CancellationToken.None))
                return false;
        return true;
    }

    private static async Task SendBodyAsync(Stream body, Stream input, CancellationToken cancellationToken)
    {
        try
        {
            await body.CopyToAsync(input, cancellationToken);
            await input.FlushAsync(cancellationToken);
        }
        catch (IOException)
        {
            // git has seen enough; its answer says why.
        }
        finally
        {
            input.Close();
        }
    }

    /// <summary>Takes the CGI header apart; the body goes to the client, or is held but for the signs of life before its first word: nodes are asked meanwhile.</summary>
    private static async Task CopyAnswerAsync(Stream output, HttpContext context, MemoryStream? held)
    {
        var head = new List<byte>();
        var one = new byte[1];
        var buffered = new BufferedStream(output, 16 * 1024);
        while (head.Count < 16 * 1024 && await buffered.ReadAsync(one) == 1)
        {
            head.Add(one[0]);
            if (head.Count >= 4 && head[^1] == '\n' && head[^3] == '\n' && head[^2] == '\r')
                break;
        }
        foreach (var line in Encoding.ASCII.GetString([.. head]).Split("\r\n", StringSplitOptions.RemoveEmptyEntries))
        {
            var at = line.IndexOf(": ", StringComparison.Ordinal);
            if (at <= 0)
                continue;
            if (line.StartsWith("Status: ", StringComparison.Ordinal))
                context.Response.StatusCode = int.Parse(line.AsSpan(8, 3), CultureInfo.InvariantCulture);
            else
                context.Response.Headers[line[..at]] = line[(at + 2)..];
        }
        if (held is null)
        {
            await buffered.CopyToAsync(context.Response.Body, context.RequestAborted);
            return;
        }
        var buffer = new byte[16 * 1024];
        int read;
        while ((read = await buffered.ReadAsync(buffer)) > 0)
        {
            if (held.Length == 0 && IsKeepAlive(buffer.AsSpan(0, read)))
                await context.Response.Body.WriteAsync(buffer.AsMemory(0, read), context.RequestAborted);
            else if (held.Length < MaxHeldAnswer)
                held.Write(buffer, 0, read);
        }
    }

    /// <summary>Empty packets of the first side band (receive.keepAlive), and nothing else.</summary>
    private static bool IsKeepAlive(ReadOnlySpan<byte> packets)
    {
        while (packets.StartsWith("0005\u0001"u8))
            packets = packets[5..];
        return packets.IsEmpty;
    }
}
