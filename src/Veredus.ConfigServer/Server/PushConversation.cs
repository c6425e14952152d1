using System.Text;

namespace Veredus.ConfigServer;

/// <summary>What the hook of a running push says, and the word it waits for: two FIFOs in a directory of its own.</summary>
internal sealed class PushConversation : IAsyncDisposable
{
    private const int MaxAnswer = 30_000;
    private readonly FileStream _ask;
    private readonly FileStream _answer;

    public PushConversation()
    {
        Directory = System.IO.Directory.CreateTempSubdirectory("veredus-push").FullName;
        (_ask, _answer) = (Open("ask"), Open("answer"));

        // Open for both directions: neither opening nor reading waits for the other side to exist.
        FileStream Open(string name)
        {
            var path = Path.Combine(Directory, name);
            LinuxFiles.MakeFifo(path);
            return new(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, 1);
        }
    }

    public string Directory { get; }

    /// <summary>Answers the one question of a push, if it comes to one.</summary>
    /// <param name="judge">From quarantine directory, whether it is forced, and the reference lines, to what is wrong; empty = take it.</param>
    public async Task AnswerAsync(Func<string, bool, IReadOnlyList<string>, Task<IReadOnlyList<string>>> judge)
    {
        using var reader = new StreamReader(_ask, Encoding.UTF8, leaveOpen: true);
        var (quarantine, force, references) = ("", false, new List<string>());
        while (await reader.ReadLineAsync() is { } line && line is not "end" && references.Count < 100)
        {
            if (line.StartsWith("quarantine ", StringComparison.Ordinal))
                quarantine = line[11..];
            else if (line.StartsWith("option ", StringComparison.Ordinal))
                force = line[7..] == "force";
            else if (line.StartsWith("ref ", StringComparison.Ordinal))
                references.Add(line[4..]);
        }
        if (references.Count == 0)
            return;  // the push ended before its hook
        IReadOnlyList<string> problems;
        try
        {
            problems = await judge(quarantine, force, references);
        }
        catch (Exception exception) when (exception is GitException or IOException or FormatException)
        {
            problems = [$"The revision could not be checked: {exception.Message}"];
        }
        var text = string.Concat(problems.SelectMany(problem => problem.Split('\n')).Select(line => (line.StartsWith('+') ? " " + line : line) + "\n"));
        var bytes = Encoding.UTF8.GetBytes((text.Length > MaxAnswer ? text[..MaxAnswer] + "...\n" : text) + (problems.Count == 0 ? "+ok\n" : "+no\n"));
        await _answer.WriteAsync(bytes);
        await _answer.FlushAsync();
    }

    /// <summary>The push has ended: nobody asks any more.</summary>
    public async Task EndAsync()
    {
        await _ask.WriteAsync("end\n"u8.ToArray());
        await _ask.FlushAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _ask.DisposeAsync();
        await _answer.DisposeAsync();
        System.IO.Directory.Delete(Directory, recursive: true);
    }
}
