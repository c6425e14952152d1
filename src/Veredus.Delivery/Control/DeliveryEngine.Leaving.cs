namespace Veredus.Delivery;

public sealed partial class DeliveryEngine
{
    /// <summary>
    /// Waits until no connection of a binding is open that is not here any more (<see cref="IBindingPresence"/>): each ends after its current transaction.
    /// </summary>
    /// <param name="group">The binding's group.</param>
    /// <param name="binding">The binding.</param>
    /// <param name="grace">Longest wait. What is still open then is reset; what it was sending waits, uncharged, unless the host may have taken it.</param>
    public async Task LeaveAsync(string group, string binding, TimeSpan grace)
    {
        Task quiet;
        lock (_gate)
        {
            var state = _scheduler.Binding(group, binding);
            if (state.Connections == 0)
                return;
            state.Quiet ??= new(TaskCreationOptions.RunContinuationsAsynchronously);
            quiet = state.Quiet.Task;
        }
        try
        {
            await quiet.WaitAsync(grace, _parts.Time);
        }
        catch (TimeoutException)
        {
            lock (_gate)
                foreach (var queue in _scheduler.Binding(group, binding).Queues.Values)
                    foreach (var connection in queue.Connections)
                        connection.Abort();
        }
    }
}
