using System.Diagnostics;
using System.Globalization;
using Veredus.CommandLine;
using Veredus.Commands;
using Veredus.Control;
using Veredus.Output;

namespace Veredus.Terminal;

/// <summary>The conversation with a node: prompt, editing, history, completion from the node's own help.</summary>
internal sealed class ConsoleSession(Call call, ControlClient client, ControlEndpoint endpoint) : IDisposable
{
    private static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(30);

    private readonly SemaphoreSlim _talking = new(1, 1);
    private readonly string _name = endpoint.Path is null ? endpoint.ToString() : client.HostName;
    private List<string> _commands = [];
    private bool _timing;
    private bool _pager;

    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        call.Out.Line($"veredus {client.Version} on {client.HostName}; 'help' lists the commands, Ctrl-D leaves");
        _commands = [.. (await client.SendAsync("help", cancellationToken)).Lines.Select(line => line.Split("  ", 2)[0].Trim())];
        var editor = new LineEditor(Complete);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var alive = KeepAliveAsync(stop.Token);
        Console.TreatControlCAsInput = true;
        try
        {
            var pending = "";
            while (ReadLine(editor, pending.Length > 0) is { } line)
            {
                if (line.EndsWith('\\'))
                {
                    pending += line[..^1];
                    continue;
                }
                line = (pending + line).Trim();
                pending = "";
                if (line is "quit" or "exit")
                    break;
                if (line.Length > 0)
                    await RunLineAsync(line, cancellationToken);
            }
        }
        finally
        {
            Console.TreatControlCAsInput = false;
            await stop.CancelAsync();
            await alive;
        }
        return ExitCodes.Done;
    }

    public void Dispose() => _talking.Dispose();

    private async Task RunLineAsync(string line, CancellationToken cancellationToken)
    {
        switch (line)
        {
            case "\\pager":
                _pager = !_pager;
                call.Out.Line($"pager is {(_pager ? "on" : "off")}");
                return;
            case "\\timing":
                _timing = !_timing;
                call.Out.Line($"timing is {(_timing ? "on" : "off")}");
                return;
            case ['\\', ..]:
                call.Error.Line("local commands are \\pager, \\timing and quit", Tone.Bad);
                return;
        }
        await _talking.WaitAsync(cancellationToken);
        try
        {
            var watch = Stopwatch.StartNew();
            if (_pager)
                await PageAsync(await client.SendAsync(line, cancellationToken), cancellationToken);
            else
                await ConsoleCommand.RunOneAsync(call, client, line, cancellationToken);
            if (_timing)
                call.Out.Line($"{watch.ElapsedMilliseconds} ms", Tone.Dim);
        }
        finally
        {
            _talking.Release();
        }
    }

    private async Task PageAsync(ControlReply reply, CancellationToken cancellationToken)
    {
        if (!reply.IsOk)
        {
            call.Error.Line(reply.Text, Tone.Bad);
            return;
        }
        using var pager = Process.Start(new ProcessStartInfo(call.Host.Environment("PAGER") ?? "less") { RedirectStandardInput = true, UseShellExecute = false });
        if (pager is null)
            return;
        await using (pager.StandardInput)
        {
            foreach (var line in (string[])[reply.Text, .. reply.Lines])
                await pager.StandardInput.WriteLineAsync(Logging.SafeText.Visible(line).AsMemory(), cancellationToken);
        }
        await pager.WaitForExitAsync(cancellationToken);
    }

    /// <summary>One line; <see langword="null"/> at the end of the conversation.</summary>
    private string? ReadLine(LineEditor editor, bool isContinued)
    {
        editor.Clear();
        var prompt = isContinued ? "> " : $"{call.Host.Time.GetLocalNow().ToString("HH:mm:ss", CultureInfo.InvariantCulture)} {_name}> ";
        call.Out.Write(prompt);
        while (true)
        {
            var result = editor.Press(Console.ReadKey(intercept: true));
            if (editor.Choices.Count > 0)
            {
                call.Out.Line();
                call.Out.Line(string.Join("  ", editor.Choices));
            }
            if (result is EditResult.Closed)
            {
                call.Out.Line();
                return null;
            }
            if (result is EditResult.Abandoned)
            {
                call.Out.Line("^C");
                return "";
            }
            // The whole line anew: shorter than clever, and right whatever was deleted.
            call.Out.Writer.Write($"\r\e[K{prompt}{Logging.SafeText.Visible(editor.Text)}");
            if (editor.Cursor < editor.Text.Length)
                call.Out.Writer.Write($"\e[{editor.Text.Length - editor.Cursor}D");
            call.Out.Writer.Flush();
            if (result is EditResult.Entered)
            {
                call.Out.Line();
                return editor.Text;
            }
        }
    }

    private IReadOnlyList<string> Complete(string before)
    {
        var words = before.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var done = before.EndsWith(' ') ? words.Length : Math.Max(0, words.Length - 1);
        return [.. _commands.Select(command => command.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Where(command => command.Length > done && command.Take(done).SequenceEqual(words.Take(done), StringComparer.OrdinalIgnoreCase))
            .Select(command => command[done]).Where(word => char.IsAsciiLetterLower(word[0]))];
    }

    private async Task KeepAliveAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                await Task.Delay(KeepAlive, call.Host.Time, cancellationToken);
                await _talking.WaitAsync(cancellationToken);
                try
                {
                    await client.SendAsync("noop", cancellationToken);
                }
                finally
                {
                    _talking.Release();
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The conversation is over.
        }
        catch (ControlException)
        {
            // The node is gone; the next command says so.
        }
    }
}
