namespace Veredus.Duravip.Driver.Tests;

/// <summary>What happened around a driver, in order, from any thread; a test waits for what it expects.</summary>
internal sealed class Story
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);

    private readonly Lock _gate = new();
    private readonly List<string> _lines = [];
    private TaskCompletionSource _more = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Add(string line)
    {
        TaskCompletionSource more;
        lock (_gate)
        {
            _lines.Add(line);
            (more, _more) = (_more, new(TaskCreationOptions.RunContinuationsAsynchronously));
        }
        more.SetResult();
    }

    public int Count
    {
        get
        {
            lock (_gate)
                return _lines.Count;
        }
    }

    /// <summary>The place of the first line that begins so, from <paramref name="from"/> on; waits for it.</summary>
    public async Task<int> UntilAsync(string begin, int from = 0)
    {
        using var limit = new CancellationTokenSource(Limit);
        while (true)
        {
            Task more;
            lock (_gate)
            {
                if (_lines.FindIndex(Math.Min(from, _lines.Count), line => line.StartsWith(begin, StringComparison.Ordinal)) is >= 0 and var found)
                    return found;
                more = _more.Task;
            }
            try
            {
                await more.WaitAsync(limit.Token);
            }
            catch (OperationCanceledException)
            {
                throw new TimeoutException($"'{begin}' never came; what did: {this}");
            }
        }
    }

    public bool Has(string begin, int from = 0)
    {
        lock (_gate)
            return _lines.FindIndex(Math.Min(from, _lines.Count), line => line.StartsWith(begin, StringComparison.Ordinal)) >= 0;
    }

    public override string ToString()
    {
        lock (_gate)
            return string.Join("\n", _lines);
    }
}
